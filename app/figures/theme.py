"""Colours of data and chart furniture in the two modes: the reading room and paper.

The page itself is coloured by ``.streamlit/config.toml``; the surfaces here repeat its values so
that charts sit in the page without a seam. Activation colours (cold-hot) appear in data only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Mode = Literal["dark", "light"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of one mode, as ``#rrggbb``."""

    mode: Mode
    canvas: str
    surface: str
    text: str
    quiet: str
    line: str
    accent: str
    #: What falls below a threshold in a map: the silhouette of the model.
    silhouette: str
    #: From the threshold outwards to the strongest value.
    cold: tuple[str, ...]
    hot: tuple[str, ...]
    #: From low to high in pictures without a sign, such as the carpet plot.
    greys: tuple[str, str]
    #: Lines of a comparison, most important first; the first is the accent.
    series: tuple[str, ...]
    #: Of each network of the atlas that is shown, in every picture alike; empty: as they come.
    networks: tuple[str, ...] = ()

    @property
    def font(self) -> str:
        """Family of all chart text."""
        return "IBM Plex Sans, system-ui, sans-serif"


READING_ROOM = Palette(
    mode="dark",
    canvas="#0c0d0f",
    surface="#16181b",
    text="#d9dbdf",
    quiet="#9a9fa8",
    line="#2a2d32",
    accent="#74c9a4",
    silhouette="#1b1e22",
    cold=("#17407f", "#1f78c8", "#4fc3f2", "#d3f7ff"),
    hot=("#7c1f10", "#cf4c17", "#f8a13c", "#fff1b0"),
    greys=("#0c0d0f", "#f2f3f5"),
    series=("#74c9a4", "#d9a05b", "#7fb2dd", "#a99bd6", "#d58aa5", "#c2c76b", "#8fd0d6"),
)
PAPER = Palette(
    mode="light",
    canvas="#fcfbf8",
    surface="#f2f0ea",
    text="#141619",
    quiet="#5b5e64",
    line="#dcd8ce",
    accent="#1f6f50",
    silhouette="#eceae3",
    cold=("#8fbfe6", "#3f8acb", "#1c5aa6", "#0b2a5c"),
    hot=("#f0ad80", "#e0703a", "#b0371c", "#5f120b"),
    greys=("#ffffff", "#17181a"),
    series=("#1f6f50", "#8f5a10", "#22609b", "#5b4a9c", "#9a3f63", "#6a6d12", "#1c6f78"),
)
PALETTES: dict[Mode, Palette] = {"dark": READING_ROOM, "light": PAPER}


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue parts of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def rgba(colour: str, alpha: float) -> str:
    """Return `colour` as a CSS colour with opacity `alpha`."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{alpha:.3g})"


def diverging_scale(palette: Palette, *, threshold: float, limit: float) -> list[tuple[float, str]]:
    """Return a plotly colour scale over [-limit, limit], flat grey below the threshold.

    Symmetric by construction, so that a low positive value can never look cold.
    """
    edge = min(max(threshold / limit, 0.0), 0.98) / 2
    arms = np.linspace(edge, 0.5, len(palette.hot)).tolist()
    cold = [(0.5 - arm, colour) for arm, colour in zip(arms, palette.cold, strict=True)]
    hot = [(0.5 + arm, colour) for arm, colour in zip(arms, palette.hot, strict=True)]
    grey = palette.silhouette
    scale = [*reversed(cold), (0.5 - edge, grey), (0.5 + edge, grey), *hot]
    return scale


def steps(colours: Sequence[str]) -> list[tuple[float, str]]:
    """Return a plotly scale of equal steps without transitions."""
    edges = np.linspace(0, 1, len(colours) + 1).tolist()
    return [(edges[i + side], colour) for i, colour in enumerate(colours) for side in (0, 1)]


def greys(palette: Palette) -> list[tuple[float, str]]:
    """Return the plotly scale of values without a sign."""
    return [(0.0, palette.greys[0]), (1.0, palette.greys[1])]


def faded(colours: Sequence[str], palette: Palette, *, kept: Collection[int]) -> list[str]:
    """Return colours of which all but some are faded towards the page."""
    background = np.array(rgb(palette.silhouette), dtype=float)

    def fade(colour: str) -> str:
        red, green, blue = np.round(0.14 * np.array(rgb(colour)) + 0.86 * background).astype(int)
        return f"#{red:02x}{green:02x}{blue:02x}"

    return [c if index in kept else fade(c) for index, c in enumerate(colours)]


# Sight -----------------------------------------------------------------------------------------
