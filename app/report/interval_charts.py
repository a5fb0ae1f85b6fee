"""Charts of intervals by group, and of marked cells, for the report. Pure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.drawing import cold_hot
from app.figures.markup import short
from app.figures.theme import Palette
from app.report.axes import (
    LETTER,
    Span,
    colour_bar,
    padded,
    placed,
    round_ticks,
    zero_line,
)
from app.report.inline_svg import WIDTH, Chart, blank

_LINE = 14.0  # a row of intervals, in pixels


def intervals(groups: Mapping[str, pd.DataFrame], *, palette: Palette, title: str) -> list[Chart]:
    """Return named values with intervals, one chart a group, all on one scale.

    Parameters
    ----------
    groups : mapping
        Title → frame with label, value, low, high.
    """
    every = pd.concat(list(groups.values()))
    span = padded([*every["low"], *every["high"], 0.0])
    last = list(groups)[-1]
    return [
        _interval_group(group, frame, span, palette, title=title if group == last else "")
        for group, frame in groups.items()
    ]


def _interval_group(
    group: str, frame: pd.DataFrame, span: Span, palette: Palette, *, title: str
) -> Chart:
    """Return one group's chart; with a title, it has the scale under it."""
    left, below, n = 230.0, 36.0 if title else 10.0, len(frame)
    height = _LINE * (n + 1) + 7 + below
    figure = blank(height, is_arranged=False)
    axes = placed(figure, left, _LINE + 7, WIDTH - left - 12, _LINE * n)
    places = np.arange(n)
    axes.hlines(places, frame["low"], frame["high"], color=palette.accent, linewidth=1.6)
    axes.plot(frame["value"], places, "o", color=palette.accent)
    zero_line(axes, palette)
    axes.set(xlim=span, ylim=(n - 0.5, -0.5))
    axes.set_yticks(places, [short(str(name), 34) for name in frame["label"]])
    round_ticks(axes.xaxis, 7)
    axes.tick_params(axis="x", labelbottom=bool(title))
    axes.set_xlabel(title)
    figure.text(4 / WIDTH, 1 - 3 / height, short(group, 80), fontsize=12, va="top")
    return Chart(figure=figure, alternative=f"{group}: {title or 'values with intervals'}")


def cells(
    table: pd.DataFrame,
    *,
    limit: float,
    dotted: NDArray[np.bool_],
    palette: Palette,
    unit: str,
    alternative: str,
) -> Chart:
    """Return a table as coloured cells, some with a dot; what is no number has no colour.

    Parameters
    ----------
    limit : float
        The value of the strongest colour.
    dotted : ndarray (rows, columns)
    """
    n_rows, n_columns = table.shape
    row_height = 12.0 if n_rows > 24 else 16.0
    left, wide = 230.0, min(90.0, 380.0 / n_columns)
    is_upright = wide < 70  # then names stand on their columns
    columns = [short(str(name), 16 if is_upright else int(wide / 5.8)) for name in table]
    top = 26.0 if not is_upright else 12 + LETTER * max(map(len, columns))
    figure = blank(top + max(row_height * n_rows, 64) + 10, is_arranged=False)
    axes = placed(figure, left, top, wide * n_columns, row_height * n_rows)
    picture = axes.imshow(
        table, cmap=cold_hot(palette), vmin=-limit, vmax=limit, aspect="auto",
        interpolation="none",
    )  # fmt: skip
    axes.set_xticks(np.arange(n_columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n_rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=palette.canvas)
    axes.tick_params(which="minor", length=0)
    y, x = np.nonzero(dotted)
    axes.plot(x, y, "o", color=palette.text, markeredgecolor=palette.canvas, gid="dots")
    axes.set_xticks(range(n_columns), columns)
    axes.set_yticks(range(n_rows), [short(str(name), 36) for name in table.index])
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelcolor=palette.text, rotation=90 * is_upright)
    axes.tick_params(axis="y", labelsize=9.5)
    bar = placed(
        figure, left + wide * n_columns + 16, top, 12, min(180, max(row_height * n_rows, 60))
    )
    colour_bar(bar, picture, limit, unit)
    return Chart(figure=figure, alternative=alternative)
