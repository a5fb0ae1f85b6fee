"""What charts of the report share: texts, spans, places, legends, ticks and colours. Pure."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from app.figures.markup import short
from app.figures.theme import Palette
from app.report.inline_svg import WIDTH

Span = tuple[float, float]
#: About the width of a letter, in pixels.
LETTER = 6.6
# Of a legend: a line, and a handle with its gaps.
_LEGEND_LINE, _HANDLE = 17.0, 46.0
#: Of lines of a comparison, for who does not see their colours.
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-", (0, (3, 2)), (0, (1.5, 1.5)), (0, (4, 1.2, 1.2, 1.2)),
)  # fmt: skip


def series_colours(palette: Palette, n: int) -> list[str]:
    """Return the colours of a comparison, the most important first."""
    return [palette.series[i % len(palette.series)] for i in range(n)]


def labels(names: Iterable[object]) -> list[str]:
    """Return names for a legend, which leaves out what is empty or starts with an underscore."""
    shown = [short(str(name), 40) for name in names]
    return [f" {name}" if not name or name.startswith("_") else name for name in shown]


def padded(values: Sequence[float], *, zero: bool = False, share: float = 0.06) -> Span:
    """Return a span around finite values, with a margin; with 0 in it if asked."""
    finite = [v for v in values if np.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = (high - low) * share or max(abs(high), 1.0) * share
    return (low if zero and low == 0 else low - margin), (
        high if zero and high == 0 else high + margin
    )


def placed(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place in pixels, for charts whose parts or pages must line up."""
    wide, high = figure.get_size_inches() * 72
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _legend_columns(names: Sequence[str]) -> int:
    """Return how many columns of names lie side by side; columns are filled one by one."""
    for n in range(len(names), 1, -1):
        columns = np.array_split([len(name) for name in names], n)
        if sum(LETTER * column.max() + _HANDLE for column in columns) < WIDTH:
            return n
    return 1


def legend_height(names: Sequence[str]) -> float:
    """Return how many pixels `legend` takes above the axes."""
    return _LEGEND_LINE * -(-len(names) // _legend_columns(names)) + 10


def legend(figure: Figure, names: Sequence[str]) -> None:
    """Write the names of what has a label above the axes, in as many lines as they need."""
    figure.legend(
        loc="outside upper left", ncols=_legend_columns(names), handlelength=1.6,
        borderaxespad=0.2, columnspacing=1.4,
    )  # fmt: skip


def round_ticks(axis: Axis, n: int) -> None:
    """Put ticks at round numbers, at most about so many."""
    axis.set_major_locator(MaxNLocator(n, steps=[1, 2, 2.5, 5, 10]))


def plane(figure: Figure, *, titles: tuple[str, str], x: Span, top: float, line: str) -> Axes:
    """Return axes with a floor and a grid, y from 0 to `top`."""
    axes = figure.add_subplot()
    axes.set(xlim=x, ylim=(0, top), xlabel=titles[0], ylabel=titles[1])
    axes.spines.bottom.set_visible(True)
    axes.tick_params(axis="x", length=4)
    axes.grid(axis="y", color=line)
    round_ticks(axes.xaxis, 7)
    round_ticks(axes.yaxis, 5)
    return axes


def zero_line(axes: Axes, palette: Palette) -> None:
    """Draw a dashed line at x = 0, behind the marks."""
    axes.axvline(0, color=palette.quiet, linewidth=1, linestyle=(0, (3, 3)), zorder=0.9)


def colour_bar(axes: Axes, of: ScalarMappable, limit: float, unit: str) -> None:
    """Draw the colours from −limit to limit into axes, under their unit."""
    bar = axes.figure.colorbar(of, cax=axes, ticks=[-limit, 0, limit])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}".replace("-", "−"))
    bar.ax.set_title(unit, loc="left", fontsize=11)
    bar.outline.set_visible(False)
    for colours in axes.collections:
        colours.set_rasterized(True)  # one picture, not a path a colour
