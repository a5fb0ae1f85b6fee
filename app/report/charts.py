"""Charts of the report; each is made, and turned into SVG, while `paper` is held. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray

from app.figures.drawing import cold_hot
from app.figures.markup import short, signed
from app.figures.theme import Palette
from app.report.axes import (
    DASHES,
    LETTER,
    Span,
    colour_bar,
    labels,
    legend,
    legend_height,
    padded,
    placed,
    plane,
    round_ticks,
    series_colours,
    zero_line,
)
from app.report.inline_svg import WIDTH, Chart, blank

_LINE = 14.0  # a row of intervals, in pixels


def shares(table: pd.DataFrame, *, palette: Palette, x_title: str, alternative: str) -> Chart:
    """Return rows that add up to 100 % as stacked bars.

    Parameters
    ----------
    table : DataFrame
        Per cent; a row a bar, from the top, a column a colour.
    """
    names, n = labels(table), len(table)
    step = 9.0 if n > 24 else 14.0
    figure = blank(legend_height(names) + step * n + 40)
    axes = figure.add_subplot()
    places, start = np.arange(n), np.zeros(n)
    for name, colour, (_, column) in zip(
        names, series_colours(palette, len(names)), table.items(), strict=True
    ):
        values = column.to_numpy(dtype=np.float64)
        axes.barh(
            places, values, left=start, height=1 - 1 / step, color=colour, label=name,
            clip_on=False,
        )  # fmt: skip
        start = start + values
    every = 1 if n <= 24 else 2
    axes.set_yticks(places[::every], [str(k) for k in table.index[::every]])
    axes.tick_params(axis="y", labelsize=min(step, 11))
    axes.set(xlim=(0, 100), ylim=(n - 0.5, -0.5), xlabel=x_title, xticks=range(0, 101, 25))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f} %"))
    legend(figure, names)
    return Chart(figure=figure, alternative=alternative)


def matrix(
    values: NDArray[np.floating],
    *,
    limit: float,
    palette: Palette,
    groups: Sequence[str],
    unit: str,
) -> Chart:
    """Return a square matrix as a picture with the names of its rows' groups beside it.

    Parameters
    ----------
    values : ndarray (n, n)
    limit : float
        The value of the strongest colour.
    groups : sequence of str
        Group of each row; those of one group lie together.
    """
    n, side = len(values), 380.0
    figure = blank(side + 24, is_arranged=False)
    axes = placed(figure, 130, 12, side, side)
    picture = axes.imshow(
        values, cmap=cold_hot(palette), vmin=-limit, vmax=limit, interpolation="none"
    )
    starts = [i for i in range(n) if i == 0 or groups[i] != groups[i - 1]]
    for first in starts[1:]:
        axes.axhline(first - 0.5, color=palette.quiet, linewidth=1)
        axes.axvline(first - 0.5, color=palette.quiet, linewidth=1)
    ends = [*starts[1:], n]
    middles = [(first + last - 1) / 2 for first, last in zip(starts, ends, strict=True)]
    axes.set_xticks([])
    axes.set_yticks(middles, [short(groups[first], 20) for first in starts])
    axes.tick_params(axis="y", labelcolor=palette.text)
    colour_bar(placed(figure, 130 + side + 28, 32, 12, 180), picture, limit, unit)
    return Chart(figure=figure, alternative=f"Matrix of {unit} between {n} networks")


def points(
    table: pd.DataFrame,
    *,
    levels: Mapping[str, float],
    palette: Palette,
    titles: tuple[str, str],
    alternative: str,
) -> Chart:
    """Return points, and dashed lines with names at values of y.

    Parameters
    ----------
    table : DataFrame
        With x, y, colour, and the tip of each point; without y a point is left out.
    levels : mapping
        Name of a line → its y.
    titles : tuple of str
        Of the axes.
    """
    table = table[np.isfinite(table["x"]) & np.isfinite(table["y"])]
    figure, span = blank(270), padded(table["x"].tolist(), zero=True)
    axes = plane(figure, titles=titles, x=span, top=1.05, line=palette.line)
    for number, (name, value) in enumerate(levels.items(), start=1):
        axes.axhline(value, color=palette.text, linewidth=1, linestyle=DASHES[number % 4])
        axes.annotate(
            name, (1, value), xycoords=axes.get_yaxis_transform(), xytext=(-4, 4),
            textcoords="offset points", ha="right", zorder=4,
        )  # fmt: skip
    axes.scatter(
        table["x"], table["y"], s=7.2**2, c=table["colour"].tolist(), gid="points", clip_on=False,
        zorder=3,
    )  # fmt: skip
    return Chart(figure=figure, alternative=alternative, tips={"points": table["tip"].tolist()})


def lines(
    table: pd.DataFrame,
    *,
    palette: Palette,
    titles: tuple[str, str],
    span: Span,
    top: float,
    alternative: str,
) -> Chart:
    """Return columns as lines over the index, each in a colour and a dash of its own.

    What is not finite is left out. A single line has marks and no legend.

    Parameters
    ----------
    titles : tuple of str
        Of the axes.
    span : tuple of float
        Of the x axis; the y axis is from 0 to `top`.
    """
    names, is_alone = labels(table), table.shape[1] == 1
    figure = blank(200 if is_alone else 220 + legend_height(names))
    axes = plane(figure, titles=titles, x=span, top=top, line=palette.line)
    colours = series_colours(palette, len(names))
    for number, (_, column) in enumerate(table.items()):
        kept = column[np.isfinite(column)]
        axes.plot(
            kept.index, kept, color=colours[number], label=names[number], clip_on=False,
            linestyle=DASHES[number % 4], marker="o" if is_alone else "", zorder=3,
        )  # fmt: skip
    if not is_alone:
        legend(figure, names)
    return Chart(figure=figure, alternative=alternative)


def dots(
    groups: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    *,
    value: str,
    error: str,
    palette: Palette,
    title: str,
) -> Chart:
    """Return values with their errors as a dot plot: rows in groups, a colour a name.

    Parameters
    ----------
    groups : mapping
        Title of a group → frame indexed by name, with the columns `value` and `error`; a row
        without a value has no mark, one without an error no bar.
    """
    rows, edges, gap = _stacked(groups)
    shown = labels(names)
    figure = blank(legend_height(shown) + edges[-1] + 44)
    axes = figure.add_subplot()
    tips = {}
    for i, (name, colour) in enumerate(
        zip(names, series_colours(palette, len(names)), strict=True)
    ):
        own = rows[(rows["name"] == name) & np.isfinite(rows[value])]
        bars = axes.errorbar(
            own[value], own["y"], xerr=own[error], fmt="o", color=colour, elinewidth=1.4,
            label=shown[i],
        )  # fmt: skip
        bars.lines[0].set_gid(f"dots-{i}")
        tips[f"dots-{i}"] = [
            f"{group}, {name}: {signed(v, '+.4f')}"
            + (f" ± {e:.4f}" if np.isfinite(e) else " (no interval)")
            for group, v, e in zip(own["group"], own[value], own[error], strict=True)
        ]
    for edge in edges[1:]:
        axes.axhline(edge - gap / 2, color=palette.line, linewidth=1)
    zero_line(axes, palette)
    spread = rows[error].where(np.isfinite(rows[error]), 0.0)
    ends = [*(rows[value] - spread), *(rows[value] + spread)]
    axes.set(xlim=padded(ends, zero=True), ylim=(edges[-1], 0), xlabel=title)
    middles = (edges[:-1] + edges[1:] - gap) / 2
    axes.set_yticks(middles, [short(group, 20) for group in groups])
    axes.tick_params(axis="y", labelcolor=palette.text)
    round_ticks(axes.xaxis, 7)
    legend(figure, shown)
    return Chart(figure=figure, alternative=title, tips=tips)


def _stacked(
    groups: Mapping[str, pd.DataFrame],
) -> tuple[pd.DataFrame, NDArray[np.float64], float]:
    """Return the rows of all groups with their place y, the groups' edges, and the gap at each."""
    step, gap = 13.0, 9.0
    rows = pd.concat(
        [
            frame.assign(group=group, name=frame.index, y=step * (np.arange(len(frame)) + 0.5))
            for group, frame in groups.items()
        ],
        ignore_index=True,
    )
    edges = np.cumsum([0.0, *(step * len(frame) + gap for frame in groups.values())])
    rows["y"] += rows["group"].map(dict(zip(groups, edges, strict=False)))
    return rows, edges, gap


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
