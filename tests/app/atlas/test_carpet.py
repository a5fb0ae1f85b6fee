"""The carpet page: rows, columns and text as they were recorded, and the way to a session."""

from dataclasses import replace

import numpy as np
import pytest
from driving import view

from app.atlas.carpet import data as cache
from app.atlas.carpet.figures import (
    CarpetRows,
    Span,
    overview_carpet,
    session_carpet,
    stretch_carpet,
)
from app.figures.theme import READING_ROOM
from app.shell import resources

ROWS = CarpetRows(
    layer=np.array([0, 0, 1, 2]), index=np.array([3, 7, 1, 0]), network=np.array([1, 1, 0, 2]),
    by="network", n_units=90, selected=1,
)  # fmt: skip
VALUES = np.array([[0, 1, -9, 0], [0, 1, -9, 0], [0.5, 0, 0, 0], [0, 0, 0, 2]], dtype=np.float32)
PIECES = ["<s>", " the", "\n", "the"]


def test_z_is_clipped_and_words_are_told_apart_and_escaped() -> None:
    picture = session_carpet(
        VALUES, PIECES, ROWS, n_dummy_tokens=1, stretch=Span(name="", first=1, last=2),
        palette=READING_ROOM,
    )  # fmt: skip
    strip, carpet = picture.figure.data
    assert carpet.z.dtype == np.int8
    assert carpet.z[0].tolist() == [0, 42, -127, 0]
    assert list(carpet.x) == ["0 “&lt;s&gt;”", "1 “ the”", "2 “⏎”", "3 “the”"]
    assert list(carpet.y)[2] == "layer 1, unit 1, network 0"
    assert strip.z.ravel().tolist() == [1, 1, 0, 2]
    assert "4 of 90 units" in picture.alternative
    assert "token 2, “⏎”" in picture.alternative
    assert picture.table["left out"].tolist() == [True, False, False, False]
    frames = [(s.y0, s.y1) for s in picture.figure.layout.shapes if s.type == "rect"]
    assert (-0.5, 1.5) in frames  # the selected network's rows


def test_a_stretch_has_its_text_on_the_axis_and_names_what_moves() -> None:
    picture = stretch_carpet(VALUES, PIECES, ROWS, first=10, palette=READING_ROOM)
    axis = picture.figure.layout.xaxis2
    assert list(picture.figure.data[1].x) == ["10 &lt;s&gt;", "11 the", "12 ⏎", "13 the"]
    assert axis.type == "category"
    assert axis.tickvals is None  # set ones are drawn at every width, one over the other
    assert "network 1 move most, at “⏎” (mean z -9.0)" in picture.alternative
    assert picture.table["token"].tolist() == [10, 11, 12, 13]


def test_the_overview_marks_domains_and_offers_each_session() -> None:
    sessions = [Span(name="session 1", first=0, last=1), Span(name="session 0", first=2, last=3)]
    domains = [Span(name="<code>", first=0, last=1), Span(name="prose", first=2, last=3)]
    picture = overview_carpet(
        VALUES, ROWS, sessions=sessions, numbers=[1, 0], domains=domains, selected=0,
        palette=READING_ROOM,
    )  # fmt: skip
    squares = picture.figure.data[-1]
    assert list(squares.customdata) == [1, 0]
    assert list(squares.x) == [0.5, 2.5]
    assert list(squares.marker.color) == [READING_ROOM.quiet, READING_ROOM.accent]
    assert {n.text for n in picture.figure.layout.annotations} == {"&lt;code&gt;", "prose"}
    assert picture.table.columns.tolist() == ["network", "<code>", "prose"]
    assert picture.table["prose"].tolist() == [0.0, 4.5, 1.0]


@pytest.mark.parametrize("by", ["layer", "network"])
def test_rows_hold_what_was_recorded(example, by) -> None:
    atlas = resources.atlas(example.atlas)
    recording = resources.recording(example.recording)
    units, rows = cache.rows(example.atlas, by)
    assert np.array_equal(atlas.layout.flat(rows.layer, rows.index), units)
    assert len(set(rows.labels())) == len(units)
    values = cache.session_values(example.atlas, by, 1)
    plain = (recording.session(1)[:, units] - recording.mean[units]) / recording.std[units]
    assert np.allclose(values, plain.T, atol=1e-4)
    if by == "network":
        strongest = np.abs(atlas.maps).argmax(axis=0)
        assert np.array_equal(rows.network, strongest[units])
        order = rows.network[np.sort(np.unique(rows.network, return_index=True)[1])]
        leading = atlas.domain_share()[order].argmax(axis=1)
        assert (np.diff(leading) >= 0).all()


def test_the_overview_pools_within_sessions_and_leaves_dummies_out(example, monkeypatch) -> None:
    monkeypatch.setattr(cache, "N_COLUMNS", 24)
    recording = resources.recording(example.recording)
    facts, sessions, domains = cache.columns(example.atlas)
    assert facts["domain"].is_monotonic_increasing
    values = cache.overview(example.atlas, "layer")
    assert values.shape[1] == sessions[-1].last + 1 == domains[-1].last + 1 <= 24
    number, span = int(facts["session"].iloc[-1]), sessions[-1]
    usable = ~recording.is_dummy[recording.session_slice(number)]
    whole = cache.session_values(example.atlas, "layer", number)
    width = span.last - span.first + 1
    first = np.array_split(np.arange(whole.shape[1]), width)[0]
    mean = whole[:, first][:, usable[first]].mean(axis=1)
    assert np.allclose(values[:, span.first], mean, atol=1e-4)


def test_page_draws_a_session_and_its_text(open_page, example) -> None:
    at = open_page("carpet", **example.view(), session="2", token="3", show="layer")
    stretch, whole = at.get("plotly_chart")
    assert whole.proto.alt.startswith("Carpet of")
    assert stretch.proto.alt.startswith("Tokens 0 to 31")  # a session is shorter than a stretch
    assert at.selectbox(key="carpet-session-of-2").value == 2
    at.selectbox(key="carpet-session-of-2").set_value(1).run()
    assert view(at).session == 1
    assert not at.exception


def test_page_draws_all_sessions_and_opens_one(open_page, example) -> None:
    at = open_page("carpet", **example.view(), show="all-network")
    (chart,) = at.get("plotly_chart")
    assert chart.proto.alt.startswith("All ")
    assert at.dataframe[-1].value["session"].is_unique
    at.session_state["view"] = replace(view(at), session=4)  # as a picked square leaves it
    at.segmented_control(key="carpet-shown").set_value("network").run()
    assert at.selectbox(key="carpet-session-of-4").value == 4
    assert view(at).show == "network"
    assert not at.exception


def test_a_session_that_is_not_there_falls_back(open_page, example) -> None:
    at = open_page("carpet", **example.view(), session="999", token="99999")
    assert not at.exception
    assert not at.error
    assert len(at.get("plotly_chart")) == 2
