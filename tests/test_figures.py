"""Figures as data: trace values, titles, colours from the theme, payload; never pixels."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.figures import layer_profile, networks, raster, recordings
from app.figures.base import Picture
from app.figures.markup import token_strip
from app.figures.theme import PALETTES, PAPER, READING_ROOM, diverging_scale, qualitative, rgb

WIDTHS = (40, 24, 33)


def sent(figure) -> str:
    """Return what a browser gets; plotly itself writes "<" as an escape that would hide it."""
    return json.dumps(json.loads(figure.to_json()))


def ragged_map(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.full((3, 40), np.nan, dtype=np.float32)
    for row, width in zip(values, WIDTHS, strict=True):
        row[:width] = rng.normal(0, 2, width)
    return values


def table(n_networks: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "network": np.arange(n_networks),
            "run_agreement": rng.uniform(0.5, 1, n_networks),
            "variance_alone": rng.uniform(0, 0.1, n_networks),
            "variance_left_out": rng.uniform(0, 0.05, n_networks),
            "top_domain": ["<b>prose</b>"] * n_networks,
        }
    )


def a_map(palette=READING_ROOM, **options) -> Picture:
    values = ragged_map()
    profile = np.nanmean(np.abs(values) > 2, axis=1)
    return networks.network_map(
        values, profile, network=3, threshold=2.0, limit=6.0, palette=palette, **options
    )


PICTURES = {
    "map": a_map,
    "parcellation": lambda palette=READING_ROOM: networks.parcellation_map(
        raster.by_layer(np.arange(sum(WIDTHS)) % 5 - 1, WIDTHS, fill=-2),
        n_networks=4,
        palette=palette,
    ),
    "time course": lambda palette=READING_ROOM: networks.time_course(
        np.array([np.nan, 1.0, -2.0]), ["<s>", "a", " b"], network=0, palette=palette
    ),
    "domains": lambda palette=READING_ROOM: networks.domain_bars(
        np.array([0.2, 0.8]), ["prose", "code"], palette=palette
    ),
    "run_agreement": lambda palette=READING_ROOM: networks.agreement_scatter(
        table(), selected=2, palette=palette
    ),
    "variance": lambda palette=READING_ROOM: networks.variance_bars(table(), palette=palette),
    "carpet": lambda palette=READING_ROOM: recordings.carpet_plot(
        np.random.default_rng(0).normal(size=(12, 32)),
        np.repeat([0, 1, 2], 4),
        palette=palette,
        n_dummy_tokens=2,
    ),
    "layers": lambda palette=READING_ROOM: recordings.layer_lines(
        pd.DataFrame({"layer": [0, 1], "sd": [1.0, 2.0]}),
        {"sd": "deviation"},
        title="activation",
        palette=palette,
    ),
    "removal": lambda palette=READING_ROOM: layer_profile.removal_profile(
        np.array([0, 6, 3]), np.array(WIDTHS), palette=palette
    ),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_picture_has_sentence_numbers_titles_and_the_modes_colours(name, palette) -> None:
    picture = PICTURES[name](palette=palette)
    assert picture.alternative.endswith(".")
    assert len(picture.alternative) > 20
    assert len(picture.table)
    layout = picture.figure.layout
    assert layout.font.color == palette.quiet
    assert layout.hoverlabel.bgcolor == palette.surface
    assert layout.paper_bgcolor == "rgba(0,0,0,0)"
    titled = [axis for axis in layout if axis[:5] in ("xaxis", "yaxis") and layout[axis].title.text]
    assert any(axis.startswith("xaxis") for axis in titled)


@pytest.mark.parametrize("name", PICTURES)
def test_arrays_go_to_the_browser_in_few_bytes(name) -> None:
    """float64 doubles the payload and float16 travels as text; integers and float32 do neither."""
    for trace in PICTURES[name]().figure.data:
        for field in ("x", "y", "z"):
            values = trace.to_plotly_json().get(field)
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                assert values.dtype == np.float32, (trace.type, field)


def test_map_shows_only_what_is_beyond_the_threshold() -> None:
    z = a_map().figure.data[0].z
    values = ragged_map()
    shown = z[~np.isnan(z)]
    assert set(np.abs(shown[shown != 0]) > 2.0) == {True}
    assert (shown != 0).sum() == (np.abs(values) > 2.0).sum()
    assert np.isnan(z).sum() == np.isnan(values).sum()


def test_wide_map_is_pooled_to_the_screen_without_losing_its_peak() -> None:
    values = np.zeros((2, 11_008), dtype=np.float32)
    values[1, 7_777] = -9.0
    picture = networks.network_map(
        values, np.zeros(2), network=0, threshold=3.0, limit=9.0, palette=READING_ROOM
    )
    trace = picture.figure.data[0]
    assert trace.z.shape[1] <= 1_500
    assert len(trace.x) == trace.z.shape[1]
    column = int(np.abs(trace.z[1]).argmax())
    assert trace.z[1, column] == -9.0
    assert trace.x[column] <= 7_777 < trace.x[column + 1]


def test_grouping_by_network_moves_units_within_their_layer_only() -> None:
    values = ragged_map()
    labels = raster.by_layer(np.arange(sum(WIDTHS)) % 3, WIDTHS, fill=-2)
    grouped = raster.group_columns(values, labels)
    for before, after in zip(values, grouped, strict=True):
        np.testing.assert_array_equal(np.sort(before), np.sort(after))
    first = labels[0][~np.isnan(values[0])]
    np.testing.assert_array_equal(grouped[0][: (first == 0).sum()], values[0][labels[0] == 0])


def test_map_counts_in_its_text_alternative() -> None:
    count = int((np.abs(np.nan_to_num(ragged_map())) > 2).sum())
    assert f"{count} of {sum(WIDTHS)} units" in a_map().alternative


def test_map_without_any_unit_beyond_the_threshold() -> None:
    values = np.zeros((2, 5), dtype=np.float32)
    picture = networks.network_map(
        values, np.zeros(2), network=1, threshold=3.0, limit=9.0, palette=PAPER
    )
    assert "no unit" in picture.alternative


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
    assert len(set(qualitative(PAPER, 64))) == 64


def test_text_is_readable_in_both_modes() -> None:
    def luminance(colour: str) -> float:
        parts = np.array(rgb(colour)) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for palette in PALETTES.values():
        for text in (palette.text, palette.quiet, palette.accent, *palette.series):
            bright, dark = sorted((luminance(text), luminance(palette.canvas)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (palette.mode, text)


def test_thumbnail_is_a_small_png_of_cells() -> None:
    uri = raster.thumbnail(
        np.tile(ragged_map(), (10, 40)), palette=READING_ROOM, threshold=2.0, limit=6.0
    )
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    content = base64.b64decode(body)
    assert len(content) < 6_000
    assert Image.open(io.BytesIO(content)).size == (2 * 64, 2 * 30)


def test_thumbnail_has_the_last_layer_on_top_and_the_themes_colours() -> None:
    values = np.zeros((2, 4), dtype=np.float32)
    values[1, 0] = 6.0
    uri = raster.thumbnail(values, palette=PAPER, threshold=2.0, limit=6.0, scale=1)
    content = base64.b64decode(uri.partition(",")[2])
    image = Image.open(io.BytesIO(content)).convert("RGB")
    assert image.getpixel((0, 0)) == rgb(PAPER.hot[-1])
    assert image.getpixel((0, 1)) == rgb(PAPER.silhouette)


def test_carpet_keeps_sign_in_one_byte_a_cell() -> None:
    z = PICTURES["carpet"]().figure.data[0].z
    assert z.dtype == np.int8
    np.testing.assert_array_equal(
        raster.to_int8(np.array([-9.0, -3.0, 0.0, 3.0, np.nan]), 3.0), [-127, -127, 0, 127, 0]
    )


def test_carpet_rows_span_every_layer() -> None:
    units, layers = raster.carpet_rows(WIDTHS, 30)
    assert np.bincount(layers).tolist() == [10, 10, 10]
    offsets = np.concatenate([[0], np.cumsum(WIDTHS)])
    assert ((units >= offsets[layers]) & (units < offsets[layers + 1])).all()


def test_removal_profile_is_in_percent_of_each_layer() -> None:
    bars = PICTURES["removal"]().figure.data[1]
    np.testing.assert_allclose(bars.y, [0, 25, 100 * 3 / 33], rtol=1e-6)


def test_text_of_others_is_escaped_everywhere() -> None:
    """Token text is untrusted: plotly reads hover text as HTML, and so does a token strip."""
    evil = "<img src=x onerror=alert(1)>"
    course = networks.time_course(np.ones(1), [evil], network=0, palette=PAPER)
    assert "<img" not in sent(course.figure)
    assert "<b>prose" not in sent(PICTURES["run_agreement"]().figure)
    bars = networks.domain_bars(np.array([1.0]), [evil], palette=PAPER)
    assert "<img" not in sent(bars.figure)
    strip = token_strip([evil], np.ones(1), limit=1.0, palette=PAPER)
    assert "<img" not in strip
    assert "&lt;img" in strip


def test_strip_is_coloured_and_underlined_by_strength() -> None:
    strip = token_strip(
        ["none", "warm", "cold", "dummy"],
        np.array([0.0, 1.0, -1.0, np.nan]),
        limit=1.0,
        palette=READING_ROOM,
        centre=1,
    )
    none, warm, cold, dummy = strip.split("<span")[1:]
    assert "background" not in none
    assert "solid" in warm
    assert "font-weight:700" in warm
    assert "dashed" in cold
    assert "left out" in dummy
    assert "background" not in dummy
