"""Marks hold the numbers that they are given, whatever else is asked of them."""

import numpy as np
import plotly.graph_objects as go

from app.figures import marks
from app.figures.base import style
from app.figures.theme import PAPER, steps


def test_numbers_reach_the_browser_in_four_bytes_and_names_as_they_are() -> None:
    figure = marks.bars(go.Figure(), ["a", "b"], np.array([0.25, 1.5]), colour="#000000")
    assert list(figure.data[0].x) == ["a", "b"]
    assert figure.data[0].y.dtype == np.float32
    assert figure.data[0].y.tolist() == [0.25, 1.5]


def test_only_marks_with_a_text_answer_to_the_pointer() -> None:
    figure = marks.line(go.Figure(), [0, 1], [1.0, 2.0], colour="#000000")
    marks.points(figure, [0], [1.0], colour="#000000", hover="%{y}")
    silent, telling = figure.data
    assert (silent.hoverinfo, telling.hovertemplate) == ("skip", "%{y}<extra></extra>")


def test_an_error_that_is_no_number_has_no_bar() -> None:
    bar = marks.error([0.5, np.nan])
    assert bar["array"][0] == np.float32(0.5)
    assert np.isnan(bar["array"][1])


def test_steps_part_the_scale_evenly_each_in_one_colour() -> None:
    scale = steps(["#a", "#b", "#c", "#d"])
    assert [edge for edge, _ in scale] == [0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1]
    assert [colour for _, colour in scale[::2]] == [colour for _, colour in scale[1::2]]


def test_axes_are_titled_and_set_over_the_house_style() -> None:
    figure = marks.cells(go.Figure(), np.eye(2), scale=steps(["#000", "#fff"]), span=(0, 1))
    y = marks.ticks(["first", "second"], range=[1.5, -0.5])
    style(figure, PAPER, height=200, x="token", y={"title": "layer", **y}, margin={"l": 4})
    assert figure.layout.xaxis.title.text == "token"
    assert figure.layout.xaxis.title.font.size == 13
    assert figure.layout.yaxis.ticktext == ("first", "second")
    assert figure.layout.yaxis.range == (1.5, -0.5)
    assert (figure.layout.margin.l, figure.layout.margin.r) == (4, 12)
    assert figure.layout.showlegend is False
