"""Colours of networks: told apart by CIEDE2000, also as the colour-blind see them."""

import numpy as np
import pytest

from app.figures.distinct import (
    SIGHT,
    colour_distances,
    linear_rgb,
    network_palette,
    parcel_scale,
    qualitative,
    spread,
)
from app.figures.markup import HUE_OPACITY, MAX_OPACITY
from app.figures.theme import PALETTES, diverging_scale, faded, rgb

_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)


def cielab(light: np.ndarray) -> np.ndarray:
    scaled = light @ _XYZ.T / [0.95047, 1.0, 1.08883]
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])],
        axis=-1,
    )


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sharma, Wu & Dalal 2005, equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean7 / (mean7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = h2 - h1
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    turn = np.where(c1 * c2 == 0, 0, turn)
    hue_gap = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    lightness, chroma, total = (l1 + l2) / 2, (c1 + c2) / 2, h1 + h2
    hue = np.where(
        np.abs(h1 - h2) <= 180, total / 2, np.where(total < 360, total / 2 + 180, total / 2 - 180)
    )
    hue = np.where(c1 * c2 == 0, total, hue)
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    s_l = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rotation = rotation * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    dl, dc, dh = (l2 - l1) / s_l, (c2 - c1) / s_c, hue_gap / s_h
    return np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_agrees_with_its_published_values(first, second, expected) -> None:
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(expected, abs=1e-4)


def smallest(colours: list[str], sight: str) -> float:
    lab = cielab((linear_rgb(colours) @ SIGHT[sight].T).clip(0, 1))
    gaps = ciede2000(lab[:, None], lab[None, :])
    return float(gaps[np.triu_indices(len(colours), 1)].min())


#: Number of colours → smallest CIEDE2000 between any two: to normal sight, to the colour-blind.
FLOORS = {20: (10.5, 6.5), 64: (5.5, 2.8), 100: (3.3, 1.8)}


@pytest.mark.parametrize("count", FLOORS)
def test_networks_are_told_apart(count) -> None:
    """Hues by the golden angle at one lightness had 1.0 at 64 and 0.0 under deuteranopia."""
    colours = qualitative(count)
    assert len(set(colours)) == count
    normal, blind = FLOORS[count]
    assert smallest(colours, "normal") >= normal
    assert min(smallest(colours, "deuteranopia"), smallest(colours, "protanopia")) >= blind


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_colours_stand_out_from_the_page_and_stay_when_there_are_more(palette) -> None:
    colours = qualitative(100)
    assert qualitative(7) == colours[:7]
    assert len(qualitative(300)) == 300
    for page in (palette.canvas, palette.silhouette):
        lab = cielab(linear_rgb([page, *colours]))
        assert ciede2000(lab[0], lab[1:]).min() > 10


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_few_colours_can_be_seen_on_both_pages(palette) -> None:
    """WCAG asks 3:1 of what is no text; the fourth colour, navy, had less on the dark page."""
    page, *colours = linear_rgb([palette.canvas, *qualitative(7)]) @ _XYZ[1]
    for colour in colours:
        bright, dark = max(colour, page), min(colour, page)
        assert (bright + 0.05) / (dark + 0.05) >= 3


def test_a_network_has_one_colour_in_both_modes() -> None:
    places = np.random.default_rng(1).random((12, 2))
    dark, light = (network_palette(mode, 12, places).networks for mode in PALETTES)
    assert dark == light
    assert len(set(dark)) == 12


def test_neighbours_get_colours_that_differ_more() -> None:
    rng = np.random.default_rng(0)
    places = np.stack(np.divmod(rng.permutation(64), 8), axis=1).astype(float)
    colours = qualitative(64)
    gap = np.linalg.norm(places[:, None] - places[None, :], axis=-1)
    beside = (gap > 0) & (gap < 1.5)
    before = colour_distances(colours)[beside].min()
    dealt = spread(colours, places)
    assert sorted(dealt) == sorted(colours)
    assert colour_distances(dealt)[beside].min() > 1.5 * before
    assert spread(colours, places) == dealt
    assert spread(colours[:2], places[:2]) == colours[:2]


def test_scale_of_parcels_gives_each_network_its_own_step() -> None:
    palette = PALETTES["dark"]
    colours = faded(qualitative(4), palette, kept={2})
    scale = parcel_scale(palette, 4, colours=colours)
    for label in range(-1, 4):
        place = (label + 1.5) / 5  # of a label on [-1.5, 3.5]
        below = [colour for stop, colour in scale if stop <= place]
        expected = palette.silhouette if label < 0 else colours[label]
        assert below[-1] == expected
    assert colours[2] == qualitative(4)[2]
    assert colour_distances([colours[1], palette.silhouette])[0, 1] < 0.12


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
@pytest.mark.parametrize("threshold", [0.0, 3.0, 8.0])
def test_colour_scale_is_symmetric_and_grey_below_the_threshold(palette, threshold) -> None:
    """A scale from 0 to the maximum would paint low positive values cold."""
    scale = diverging_scale(palette, threshold=threshold, limit=9.0)
    stops = np.array([stop for stop, _ in scale])
    assert (np.diff(stops) >= 0).all()
    np.testing.assert_allclose(stops + stops[::-1], 1.0, atol=1e-12)
    colours = [colour for _, colour in scale]
    n = len(palette.hot)
    assert colours[:n] == list(reversed(palette.cold))
    assert colours[n : n + 2] == [palette.silhouette] * 2
    assert colours[n + 2 :] == list(palette.hot)


def test_network_colours_differ() -> None:
    assert len(set(qualitative(64))) == 64


def test_text_is_readable_in_both_modes() -> None:
    def luminance(colour: str) -> float:
        parts = np.array(rgb(colour)) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(text: str, ground: str) -> float:
        bright, dark = sorted((luminance(text), luminance(ground)), reverse=True)
        return (bright + 0.05) / (dark + 0.05)

    def behind(word_colour: str, opacity: float, canvas: str) -> str:
        mixed = opacity * np.array(rgb(word_colour)) + (1 - opacity) * np.array(rgb(canvas))
        return "#" + "".join(f"{round(part):02x}" for part in mixed)

    for palette in PALETTES.values():
        for text in (palette.text, palette.quiet, palette.accent, *palette.series):
            assert contrast(text, palette.canvas) >= 4.5, (palette.mode, text)
        words = [(colour, HUE_OPACITY) for colour in qualitative(100)]
        words += [(palette.hot[1], MAX_OPACITY), (palette.cold[1], MAX_OPACITY)]
        for colour, opacity in words:
            ground = behind(colour, opacity, palette.canvas)
            assert contrast(palette.text, ground) >= 4.5, (palette.mode, colour)
