"""Figures as data: trace values, titles, colours from the theme, payload; never pixels."""

import numpy as np
import pandas as pd
import pytest
from drawings import WIDTHS, ragged_map, sent

from app.figures import layer_profile, maps, networks, raster
from app.figures.base import Picture
from app.figures.markup import token_strip
from app.figures.theme import PALETTES, PAPER, READING_ROOM
from app.recording import figures as recordings


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
    return maps.network_map(
        values, profile, network=3, threshold=2.0, limit=6.0, palette=palette, **options
    )


PICTURES = {
    "map": a_map,
    "parcellation": lambda palette=READING_ROOM: maps.parcellation_map(
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
    picture = maps.network_map(
        values, np.zeros(2), network=0, threshold=3.0, limit=9.0, palette=READING_ROOM
    )
    trace = picture.figure.data[0]
    assert trace.z.shape[1] <= 1_500
    assert len(trace.x) == trace.z.shape[1]
    column = int(np.abs(trace.z[1]).argmax())
    assert trace.z[1, column] == -9.0
    assert trace.x[column] <= 7_777 < trace.x[column + 1]


def test_map_counts_in_its_text_alternative() -> None:
    count = int((np.abs(np.nan_to_num(ragged_map())) > 2).sum())
    assert f"{count} of {sum(WIDTHS)} units" in a_map().alternative


def test_map_without_any_unit_beyond_the_threshold() -> None:
    values = np.zeros((2, 5), dtype=np.float32)
    picture = maps.network_map(
        values, np.zeros(2), network=1, threshold=3.0, limit=9.0, palette=PAPER
    )
    assert "no unit" in picture.alternative


def test_carpet_keeps_sign_in_one_byte_a_cell() -> None:
    z = PICTURES["carpet"]().figure.data[0].z
    assert z.dtype == np.int8
    np.testing.assert_array_equal(
        raster.to_int8(np.array([-9.0, -3.0, 0.0, 3.0, np.nan]), 3.0), [-127, -127, 0, 127, 0]
    )


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
