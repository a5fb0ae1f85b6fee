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
from app.report.inline_svg import Chart, blank


def shares(table: pd.DataFrame, *, palette: Palette, x_title: str, alternative: str) -> Chart:
    """Return rows that add up to 100 % as stacked bars.

    Parameters
    ----------
    table : DataFrame
        Per cent; a row per bar, from the top, a column per colour.
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
    """Return values with their errors as a dot plot: rows in groups, a colour per name.

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
