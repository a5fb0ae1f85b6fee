"""Charts that figures of the report share, as inline SVG. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from app.figures import raster
from app.figures.theme import Palette, rgb
from app.report.svg import Plot, Span, legend_height, nice_ticks, padded, shown


def series_colours(palette: Palette, n: int) -> list[str]:
    """Return the colours of a comparison, the most important first."""
    return [palette.series[i % len(palette.series)] for i in range(n)]


def matrix(
    values: NDArray[np.floating],
    *,
    limit: float,
    palette: Palette,
    groups: Sequence[str],
    unit: str,
) -> Markup:
    """Return a square matrix as a picture with the names of its rows' groups beside it."""
    n, side = len(values), 380.0
    plot = Plot(palette=palette, x=(0, n), y=(n, 0), width=680, height=side + 24, left=130)
    source = raster.thumbnail(
        np.asarray(values)[::-1], palette=palette, threshold=1e-6 * limit, limit=limit,
        n_columns=n, scale=max(1, 512 // n),
    )  # fmt: skip
    plot.add(
        "image", href=source, x=130, y=12, width=side, height=side, image_rendering="pixelated"
    )
    starts = [i for i in range(n) if i == 0 or groups[i] != groups[i - 1]]
    for first, last in zip(starts, [*starts[1:], n], strict=True):
        y0, y1 = 12 + side * first / n, 12 + side * last / n
        plot.words(groups[first], 122, (y0 + y1) / 2 + 4, anchor="end", colour=palette.text)
        if first:
            plot.line_at(124, y0, 130 + side, y0, colour=palette.quiet)
            x = 130 + side * first / n
            plot.line_at(x, 12, x, 12 + side, colour=palette.quiet)
    colour_bar(plot, palette, limit, unit, x=130 + side + 28)
    return plot.svg(f"Matrix of {unit} between {n} networks")


def colour_bar(plot: Plot, palette: Palette, limit: float, unit: str, *, x: float) -> None:
    """Draw the colours of a scale from −limit to limit."""
    ramp = np.linspace(-limit, limit, 128)[:, None].repeat(8, axis=1)
    source = raster.thumbnail(
        ramp, palette=palette, threshold=1e-6 * limit, limit=limit, n_columns=8, scale=1
    )
    plot.add("image", href=source, x=x, y=32, width=12, height=180, preserveAspectRatio="none")
    plot.words(unit, x, 24, colour=palette.text)
    for value, y in ((limit, 38), (0, 126), (-limit, 212)):
        plot.words(f"{value:.2g}".replace("-", "−"), x + 18, y)


def dots(
    groups: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    *,
    value: str,
    error: str,
    palette: Palette,
    title: str,
) -> Markup:
    """Return values with their errors as a dot plot: rows in groups, a colour a name.

    Parameters
    ----------
    groups : mapping
        Title of a group → frame indexed by name, with the columns `value` and `error`.
    """
    colours = dict(zip(names, series_colours(palette, len(names)), strict=True))
    step, gap = 13.0, 9.0
    ends = [0.0]
    for frame in groups.values():
        for _, row in frame.iterrows():
            spread = row[error] if np.isfinite(row[error]) else 0.0
            ends += [row[value] - spread, row[value] + spread]
    n_rows = sum(len(frame) for frame in groups.values())
    top = legend_height(list(names))
    height = top + step * n_rows + gap * len(groups) + 44
    plot = Plot(palette=palette, x=padded(ends, zero=True), y=(0, 1), height=height, left=120)
    plot.legend([(name, colours[name]) for name in names])
    y = top
    for group, frame in groups.items():
        n = len(frame)
        plot.words(group, 110, y + step * n / 2 + 4, anchor="end", colour=palette.text)
        for name, (_, row) in zip(map(str, frame.index), frame.iterrows(), strict=True):
            middle = y + step / 2
            plot.whisker(float(row[value]), middle, float(row[error]), colour=colours[name])
            tip = f"{group}, {name}: {row[value]:+.4f} ± {row[error]:.4f}"
            plot.mark(plot.at_x(float(row[value])), middle, colour=colours[name], tip=tip)
            y += step
        y += gap
        plot.line_at(120, y - gap / 2, plot.width - 12, y - gap / 2, colour=palette.line)
    zero = plot.at_x(0.0)
    plot.line_at(zero, top - 4, zero, y, colour=palette.quiet, dash="3 3")
    ticks_below(plot, y)
    plot.words(title, (120 + plot.width) / 2, height - 6, anchor="middle")
    return plot.svg(title)


def intervals(groups: Mapping[str, pd.DataFrame], *, palette: Palette, title: str) -> Markup:
    """Return named values with intervals, one chart a group, all on one scale.

    Parameters
    ----------
    groups : mapping
        Title → frame with label, value, low, high.
    """
    every = pd.concat(list(groups.values()))
    span = padded([*every["low"], *every["high"], 0.0])
    last = list(groups)[-1]
    return Markup("").join(
        _interval_group(group, frame, span, palette, title=title if group == last else "")
        for group, frame in groups.items()
    )


def _interval_group(
    group: str, frame: pd.DataFrame, span: Span, palette: Palette, *, title: str
) -> Markup:
    """Return one group's chart; with a title, it has the scale under it."""
    step, left = 14.0, 230.0
    height = step * (len(frame) + 1) + 12 + (38 if title else 0)
    plot = Plot(palette=palette, x=span, y=(0, 1), height=height, left=left)
    plot.words(group, 4, step, colour=palette.text, size=12)
    y = step + 4
    numbers = [frame[name].astype(float) for name in ("value", "low", "high")]
    rows = zip(frame["label"].astype(str), *numbers, strict=True)
    for name, value, low, high in rows:
        middle = y + step / 2
        plot.words(short(name, 34), left - 8, middle + 4, anchor="end")
        plot.line_at(
            plot.at_x(low), middle, plot.at_x(high), middle,
            colour=palette.accent, width=1.6,
        )  # fmt: skip
        plot.mark(plot.at_x(value), middle, colour=palette.accent)
        y += step
    zero = plot.at_x(0.0)
    plot.line_at(zero, 2, zero, y + 2, colour=palette.quiet, dash="3 3")
    if title:
        ticks_below(plot, y)
        plot.words(title, (left + plot.width) / 2, height - 6, anchor="middle")
    return plot.svg(f"{group}: {title or 'values with intervals'}")


def ticks_below(plot: Plot, y: float) -> None:
    """Write the ticks of x under a height."""
    for value in nice_ticks(plot.x, 7):
        plot.words(shown(value), plot.at_x(value), y + 14, anchor="middle")


def short(text: str, most: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def diverging(share: float, palette: Palette) -> str:
    """Return the colour of a value in [−1, 1]: cold below, the silhouette at 0, hot above."""
    if not np.isfinite(share):
        return palette.canvas
    stops = [palette.silhouette, *(palette.hot if share > 0 else palette.cold)]
    place = min(abs(share), 1.0) * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    first, second = np.array(rgb(stops[index])), np.array(rgb(stops[index + 1]))
    red, green, blue = np.round(first + (place - index) * (second - first)).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
