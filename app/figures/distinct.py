"""Colours that are told apart, also where red and green look alike: those of networks."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.figures.theme import PALETTES, Mode, Palette, rgb, steps


def qualitative(count: int) -> list[str]:
    """Return `count` colours for unordered things, as far apart as may be, alike in both modes.

    Each is the colour farthest from all before it, and from the page, in OKLab: to normal sight,
    and with a higher weight to simulated deuteranopia and protanopia, so lightness varies as well
    as hue. The first colours do not depend on `count`. A hundred cannot all be told apart by
    colour alone, least of all by the colour-blind: a hover or a name must say which it is.
    """
    table = _distinct_colours(max(128, -(-count // 128) * 128))
    return [table[index % len(table)] for index in range(count)]


def network_colours(palette: Palette, count: int) -> list[str]:
    """Return the colours of an atlas's `count` networks: the palette's own where it has enough."""
    palette_colours = palette.networks
    return list(palette_colours[:count]) if len(palette_colours) >= count else qualitative(count)


def network_palette(mode: Mode, count: int, places: NDArray[np.floating] | None) -> Palette:
    """Return a mode's palette with colours for `count` networks.

    Parameters
    ----------
    places : ndarray (count, 2), optional
        Of the networks in the cortex: near ones get unlike colours.
    """
    colours = qualitative(count)
    return replace(
        PALETTES[mode], networks=tuple(colours if places is None else spread(colours, places))
    )


def spread(colours: Sequence[str], places: NDArray[np.floating]) -> list[str]:
    """Return the same colours, dealt so that things at near places look different.

    Swaps while they lower the sum over pairs of nearness / difference³ of colour; O(n³).

    Parameters
    ----------
    places : ndarray (n, 2)
        Where each thing is.
    """
    n = len(colours)
    if n < 3:
        return list(colours)
    likeness = 1.0 / np.maximum(colour_distances(colours), 1e-3) ** 3
    np.fill_diagonal(likeness, 0.0)
    gap = np.linalg.norm(places[:, None] - places[None, :], axis=-1)
    np.fill_diagonal(gap, np.inf)
    nearness = np.exp(-np.square(gap / np.median(gap.min(axis=1))) / 2)
    order = np.arange(n)
    for _ in range(8):
        previous_order = order.copy()
        for i in range(n):
            # what swapping i with each j changes; the pair itself keeps its difference
            likeness_in_order = likeness[np.ix_(order, order)]
            present_cost = (nearness * likeness_in_order).sum(axis=1)
            pair = nearness[i] * likeness_in_order[i]
            cost_at_i, cost_at_j = (
                likeness_in_order @ nearness[i] - pair,
                nearness @ likeness_in_order[i] - pair,
            )
            gain = (present_cost[i] - pair) + (present_cost - pair) - cost_at_i - cost_at_j
            gain[i] = 0.0
            j = int(gain.argmax())
            if gain[j] > 1e-9:
                order[[i, j]] = order[[j, i]]
        if np.array_equal(previous_order, order):
            break
    return [colours[index] for index in order.tolist()]


#: Linear sRGB as it is seen: Machado, Oliveira & Fernandes 2009, severity 1.
SIGHT: dict[str, NDArray[np.float64]] = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}


_WEIGHT = {"normal": 1.0, "deuteranopia": 1.5, "protanopia": 1.5}


# Linear sRGB to cone responses, and their cube roots to OKLab (Ottosson 2020)
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)


_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear_rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    """Return the light of colours, linear in [0, 1]: (n, 3)."""
    channels = np.array([rgb(colour) for colour in colours], dtype=np.float64).reshape(-1, 3) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _seen_coordinates(light: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return OKLab coordinates in each way of seeing, scaled by its weight: (n, 3) each."""
    return [
        _WEIGHT[name] * (np.cbrt((light @ sight.T).clip(0, 1) @ _CONES.T) @ _OKLAB.T)
        for name, sight in SIGHT.items()
    ]


def colour_distances(colours: Sequence[str]) -> NDArray[np.float64]:
    """Return how far apart colours are in OKLab, in the way of seeing that is worst: (n, n)."""
    distances = [
        np.linalg.norm(s[:, None] - s[None, :], axis=-1)
        for s in _seen_coordinates(linear_rgb(colours))
    ]
    return np.asarray(np.min(distances, axis=0), dtype=np.float64)


#: A network keeps its colour when the page turns dark: all colours are seen on both pages.
_LIGHTNESS = (0.34, 0.90)


#: The first colours name few things, in thin lines and faint areas: their lightness is between
#: these, where they have a contrast of 3 to both pages; darker and lighter ones come after them.
_CLEAR = (0.55, 0.66)


_N_CLEAR = 7


@lru_cache(maxsize=8)
def _distinct_colours(count: int) -> tuple[str, ...]:
    """Return colours by farthest-point sampling of a range of lightness and chroma."""
    lightness, chroma, hue = np.meshgrid(
        np.linspace(*_LIGHTNESS, 13),
        np.linspace(0.04, 0.20, 6),
        np.deg2rad(np.arange(0, 360, 6)),
    )
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1).reshape(-1, 3)
    light = (lab @ np.linalg.inv(_OKLAB).T) ** 3 @ np.linalg.inv(_CONES).T
    light = light[((light > -1e-6) & (light < 1 + 1e-6)).all(axis=1)].clip(0, 1)
    coordinates_by_sight = _seen_coordinates(light)
    grounds = [ground for p in PALETTES.values() for ground in (p.canvas, p.silhouette)]
    page = _seen_coordinates(linear_rgb(grounds))
    nearest_distance = np.full(len(light), np.inf)
    for coordinates, page_coordinates in zip(coordinates_by_sight, page, strict=True):
        gaps = np.linalg.norm(coordinates[:, None] - page_coordinates[None, :], axis=-1)
        nearest_distance = np.minimum(nearest_distance, gaps.min(axis=1))
    seen_lightness = np.cbrt(light @ _CONES.T) @ _OKLAB[0]
    is_clear = (seen_lightness >= _CLEAR[0]) & (seen_lightness <= _CLEAR[1])
    indices: list[int] = []
    for number in range(min(count, len(light))):
        is_early = number < _N_CLEAR
        index = int(
            (np.where(is_clear, nearest_distance, -1.0) if is_early else nearest_distance).argmax()
        )
        indices.append(index)
        for coordinates in coordinates_by_sight:
            nearest_distance = np.minimum(
                nearest_distance, np.linalg.norm(coordinates - coordinates[index], axis=1)
            )
    encoded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-12) ** (1 / 2.4) - 0.055
    )
    channels = np.round(encoded[indices] * 255).astype(int).tolist()
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in channels)


def parcel_scale(
    palette: Palette, count: int, *, colours: Sequence[str] | None = None
) -> list[tuple[float, str]]:
    """Return a stepped plotly scale over [-1.5, count - 0.5]: grey at -1, then a colour each.

    Parameters
    ----------
    colours : sequence of str, optional
        In place of `qualitative`.
    """
    return steps([palette.silhouette, *(colours or network_colours(palette, count))])
