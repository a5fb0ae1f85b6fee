"""Charts of the report: what they draw is what they are given, and they are safe in a page."""

import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from app.figures.distinct import network_palette
from app.figures.drawing import cold_hot
from app.figures.markup import short, visible
from app.figures.theme import PALETTES
from app.report import charts, interval_charts
from app.report.inline_svg import inline_svg, paper

EVIL = '</style><img src=//evil.x onerror=a()>"'
PAPER = PALETTES["light"]
RNG = np.random.default_rng(0)


class Element(HTMLParser):
    """Tags with their attributes, and texts: of the chart, and under the pointer."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {"text": [], "title": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts[self.open[-1]].append(data)


def svg(*drawn: charts.Chart) -> Element:
    found = Element("".join(map(inline_svg, drawn)))
    assert found.open == []
    return found


@pytest.fixture
def held():
    """matplotlib, held for the test."""
    with paper(PAPER):
        yield


def named(n: int = 3) -> pd.DataFrame:
    frame = pd.DataFrame({"value": RNG.normal(size=n), "error": RNG.uniform(0.1, 1, n)})
    return frame.set_axis([f"plan {i}" for i in range(n)])


def dots(groups, names) -> charts.Chart:
    return charts.dots(groups, names, value="value", error="error", palette=PAPER, title="nats")


def spans(collection) -> np.ndarray:
    """Return the ends of horizontal lines, (n, 2); what is not finite is no line."""
    return np.array([segment[:, 0] for segment in collection.get_segments() if len(segment)])


# Data ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("held")
def test_bars_lie_one_after_another_and_end_at_a_hundred() -> None:
    table = pd.DataFrame([[20.0, 80.0], [50.0, 50.0]], index=[7, 3], columns=["a", "b"])
    chart = charts.shares(table, palette=PAPER, x_title="share", alternative="shares")
    (axes,) = chart.figure.axes
    first, second = axes.containers
    assert [bar.get_width() for bar in first] == [20.0, 50.0]
    assert [bar.get_x() for bar in second] == [20.0, 50.0]
    assert [bar.get_x() + bar.get_width() for bar in second] == [100.0, 100.0]
    assert [to_hex(container[0].get_facecolor()) for container in (first, second)] == list(
        PAPER.series[:2]
    )
    assert axes.yaxis_inverted()
    texts = svg(chart).texts["text"]
    assert {"7", "3", "a", "b", "0 %", "100 %", "share"} <= set(texts)


@pytest.mark.usefixtures("held")
def test_a_matrix_shows_its_values_between_the_limits_and_names_its_groups_once() -> None:
    values = np.array([[1.0, 0.2, -0.3], [0.2, 1.0, 0.1], [-0.3, 0.1, 1.0]])
    chart = charts.matrix(values, limit=0.5, palette=PAPER, groups=["a", "a", "b"], unit="r")
    axes, bar = chart.figure.axes
    (picture,) = axes.images
    assert np.array_equal(picture.get_array(), values)
    assert picture.get_clim() == (-0.5, 0.5)
    assert axes.get_yticks().tolist() == [0.5, 2.0]
    across, down = axes.lines
    assert (across.get_ydata(), down.get_xdata()) == ([1.5, 1.5], [1.5, 1.5])
    assert bar.get_title(loc="left") == "r"
    drawn = svg(chart)
    assert chart.alternative == "Matrix of r between 3 networks"
    assert {"a", "b", "r", "−0.5", "0", "0.5"} == set(drawn.texts["text"])
    assert all(a["href"].startswith("data:image/png") for t, a in drawn.tags if t == "image")


@pytest.mark.usefixtures("held")
def test_points_have_their_colours_tips_and_levels_and_none_without_a_value() -> None:
    colours = network_palette("light", 4, None).networks
    table = pd.DataFrame(
        {"x": [1.0, 2, 3, 4], "y": [0.1, np.nan, 0.5, 0.9], "colour": colours,
         "tip": [f"network {k}" for k in range(4)]}
    )  # fmt: skip
    chart = charts.points(
        table, levels={"chance": 0.4}, palette=PAPER, titles=("variance", "r"), alternative="r"
    )
    (axes,) = chart.figure.axes
    (marks,) = axes.collections
    assert marks.get_offsets().tolist() == [[1.0, 0.1], [3.0, 0.5], [4.0, 0.9]]
    assert [to_hex(c) for c in marks.get_facecolors()] == [colours[k] for k in (0, 2, 3)]
    assert [line.get_ydata() for line in axes.lines] == [[0.4, 0.4]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("variance", "r")
    drawn = svg(chart)
    assert drawn.texts["title"] == ["network 0", "network 2", "network 3"]
    assert {"chance", "variance", "r"} <= set(drawn.texts["text"])


@pytest.mark.usefixtures("held")
def test_lines_leave_out_what_is_no_number_and_differ_in_dash() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [2.0, 2.0, 2.0]}, index=[0, 1, 2])
    given = {"palette": PAPER, "titles": ("layer", "%"), "span": (0, 2), "top": 5}
    chart = charts.lines(table, **given, alternative="share")
    (axes,) = chart.figure.axes
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 2], [0, 1, 2]]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 3], [2, 2, 2]]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert [text.get_text() for text in chart.figure.legends[0].get_texts()] == ["a", "b"]
    alone = charts.lines(table[["b"]], **given, alternative="share")
    assert alone.figure.legends == []
    assert alone.figure.axes[0].lines[0].get_marker() == "o"


@pytest.mark.usefixtures("held")
def test_every_name_is_in_the_legend() -> None:
    """matplotlib takes an underscore at the start of a label for "not in the legend"."""
    frame = named().set_axis(["_a", "", "b"])
    chart = dots({"all": frame}, list(frame.index))
    assert len(chart.figure.legends[0].get_texts()) == 3
    assert "_a" in svg(chart).texts["text"]


@pytest.mark.usefixtures("held")
def test_dots_have_their_errors_and_tips_and_the_order_of_the_groups() -> None:
    first, second = named(), named(2)
    first.loc["plan 1", "error"] = np.nan
    empty = pd.DataFrame({"value": [np.nan], "error": [0.1]}, index=["plan 0"])
    chart = dots({"all": first, "part": second, "empty": empty}, list(first.index))
    (axes,) = chart.figure.axes
    for i, bars in enumerate(axes.containers):
        values = [frame["value"].iloc[i] for frame in (first, second) if i < len(frame)]
        assert bars.lines[0].get_xdata().tolist() == values
        assert to_hex(bars.lines[0].get_color()) == PAPER.series[i]
        errors = [frame["error"].iloc[i] for frame in (first, second) if i < len(frame)]
        expected = [[v - e, v + e] for v, e in zip(values, errors, strict=True) if np.isfinite(e)]
        assert np.allclose(spans(bars.lines[2][0]), expected)
    heights = np.concatenate([bars.lines[0].get_ydata() for bars in axes.containers])
    assert len(set(heights.tolist())) == 5
    assert axes.yaxis_inverted()
    low, high = axes.get_xlim()
    assert low <= 0 <= high
    tips = svg(chart).texts["title"]
    assert f"all, plan 0: {first['value'].iloc[0]:+.4f} ± {first['error'].iloc[0]:.4f}" in tips
    assert f"all, plan 1: {first['value'].iloc[1]:+.4f} (no interval)" in tips
    assert len(tips) == 5


@pytest.mark.usefixtures("held")
def test_intervals_of_all_groups_share_one_scale_that_is_written_once() -> None:
    """A value may lie outside its interval: one is a mean, the other of a bootstrap."""
    frame = pd.DataFrame(
        {"label": ["a", "b"], "value": [1.0, -2], "low": [1.1, -3], "high": [2, -1]}
    )
    drawn = interval_charts.intervals(
        {"one": frame, "two": 2 * frame.assign(label="")}, palette=PAPER, title="x"
    )
    first, second = (chart.figure.axes[0] for chart in drawn)
    assert first.get_xlim() == second.get_xlim()
    assert spans(first.collections[0]).tolist() == [[1.1, 2], [-3, -1]]
    assert first.lines[0].get_xdata().tolist() == [1.0, -2.0]
    places = [axes.get_position() for axes in (first, second)]
    assert (places[0].x0, places[0].x1) == (places[1].x0, places[1].x1)
    assert [chart.alternative for chart in drawn] == ["one: values with intervals", "two: x"]
    assert "x" not in svg(drawn[0]).texts["text"]
    assert {"two", "x", "0"} <= set(svg(drawn[1]).texts["text"])


@pytest.mark.usefixtures("held")
def test_cells_have_a_dot_where_it_is_asked_and_no_colour_where_there_is_no_number() -> None:
    table = pd.DataFrame([[0.5, -1.0], [np.nan, 0.0]], index=["l 0", "l 1"], columns=["a", "b"])
    dotted = np.array([[False, True], [False, False]])
    given = {"limit": 1.0, "palette": PAPER, "unit": "nats", "alternative": "loss"}
    chart = interval_charts.cells(table, dotted=dotted, **given)
    axes, _ = chart.figure.axes
    (picture,) = axes.images
    assert np.array_equal(picture.get_array().filled(np.nan), table, equal_nan=True)
    assert picture.to_rgba(picture.get_array())[1, 0, 3] == 0
    assert (axes.lines[0].get_xdata(), axes.lines[0].get_ydata()) == ([1], [0])
    assert {"l 0", "l 1", "a", "b", "nats", "−1", "1"} <= set(svg(chart).texts["text"])


def test_zero_looks_like_nothing_and_the_ends_are_cold_and_hot() -> None:
    shown = [to_hex(cold_hot(PAPER)(place)) for place in (0.0, 0.5, 1.0)]
    ends = (PAPER.cold[-1], PAPER.hot[-1])
    assert (shown[0], shown[2]) == ends
    middle = np.array([int(shown[1][i : i + 2], 16) for i in (1, 3, 5)])
    wanted = np.array([int(PAPER.silhouette[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(middle - wanted).max() <= 2  # of 256 colours, none lies at the middle


# In a page -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("held")
def test_charts_are_whole_and_safe_whatever_is_drawn() -> None:
    frame = pd.DataFrame(
        {"label": [EVIL, "b"], "value": [1.0, -2.0], "low": [0.5, -2.5], "high": [1.5, -1.5]}
    )
    found = svg(
        *interval_charts.intervals({EVIL: frame, "second": frame}, palette=PAPER, title="x")
    )
    assert [tag for tag, _ in found.tags].count("svg") == 2
    errors = frame.set_index("label").assign(error=[0.1, np.nan])
    dotted = svg(dots({"a": errors, "$x_2$ \ufffe\n\u202e": errors}, list(errors.index)))
    assert EVIL in found.texts["text"]
    assert visible("$x_2$ \ufffe \u202e") in dotted.texts["text"]
    for each in (found, dotted):
        tags = {tag for tag, _ in each.tags}
        assert not tags & {"img", "style", "script", "metadata", "a", "foreignobject"}
        written = [value for _, attrs in each.tags for value in attrs.values()]
        assert not [value for value in written if "nan" in value.split()]
        (first, *_) = (attrs for tag, attrs in each.tags if tag == "svg")
        assert first["role"] == "img"
        assert first["aria-label"]
        assert not {"xmlns", "width", "height"} & set(first)


@pytest.mark.usefixtures("held")
def test_charts_of_one_page_share_no_id_and_find_their_own() -> None:
    drawn = [inline_svg(dots({"a": named()}, ["plan 0", "plan 1", "plan 2"])) for _ in range(2)]
    ids = [re.findall(r' id="([^"]+)"', text) for text in drawn]
    assert not set(ids[0]) & set(ids[1])
    for own, text in zip(ids, drawn, strict=True):
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
            pair for name in own for pair in ((name, ""), ("", name))
        }


def test_threads_draw_one_after_another_and_the_same_data_give_the_same_bytes() -> None:
    """matplotlib's settings are the process's: two at once would draw in each other's colours."""
    frame, before = named(), dict(mpl.rcParams)
    palettes = [PAPER, PALETTES["dark"]]

    def drawn(palette) -> str:
        with paper(palette):
            given = {"value": "value", "error": "error", "palette": palette, "title": "nats"}
            return inline_svg(charts.dots({"a": frame}, list(frame.index), **given))

    alone = [drawn(palette) for palette in palettes]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(drawn, palettes * 4)) == alone * 4
    assert PAPER.quiet in alone[0]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("text", ["a", "$", "…" * 50])
def test_texts_are_one_line_of_at_most_so_many_letters(text) -> None:
    assert len(short(text, 20)) == min(len(text), 20)
    assert short(f" {text[:3]}\n{text[:3]} ", 20) == f"{text[:3]} {text[:3]}"
