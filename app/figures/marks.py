"""Marks that pictures are made of, in one form for all pages: bars, lines, points, cells, rules.

Options are plotly's own. A mark without a text for the pointer is passed over by it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures.theme import Palette

#: Of points that look alike whether or not another one is selected.
UNCHANGED = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}


def small(values: Any) -> Any:
    """Return values for the browser: real numbers in four bytes each, others as they come."""
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else values


def bars(figure: go.Figure, x: Any, y: Any, *, colour: Any, hover: str = "", **options: Any) -> Any:
    """Add bars; return the figure."""
    marker = {"color": colour, "line": {"width": 0}, **options.pop("marker", {})}
    return _add(figure, "bar", hover, x=x, y=y, marker=marker, **options)


def line(
    figure: go.Figure, x: Any, y: Any, *, colour: Any, width: float = 2, **options: Any
) -> Any:
    """Add a line, solid if nothing else is asked for; return the figure."""
    look = {"color": colour, "width": width, **options.pop("line", {})}
    return _add(figure, "scatter", **{"mode": "lines", "line": look, "x": x, "y": y, **options})


def points(figure: go.Figure, x: Any, y: Any, *, colour: Any, size: Any = 9, **options: Any) -> Any:
    """Add points; return the figure."""
    marker = {"color": colour, "size": size, **options.pop("marker", {})}
    options = {"mode": "markers", "marker": marker, **options}
    return _add(figure, options.pop("kind", "scatter"), x=x, y=y, **options)


def cells(
    figure: go.Figure, z: Any, *, scale: Any, span: tuple[float, float], **options: Any
) -> Any:
    """Add coloured cells, with a colour bar if one is given; return the figure."""
    low, high = span
    look = {"colorscale": scale, "zmin": low, "zmax": high, "hoverongaps": False}
    return _add(figure, "heatmap", z=z, showscale="colorbar" in options, **look, **options)


def _add(figure: go.Figure, kind: str, hover: str = "", **options: Any) -> go.Figure:
    place = {name: options.pop(name) for name in ("row", "col") if name in options}
    data = {name: small(options[name]) for name in ("x", "y", "z") if options.get(name) is not None}
    told = {"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    return figure.add_trace({"type": kind, **told, **options, **data}, **place)


def error(values: Any, *, thickness: float = 1, width: float = 3, **options: Any) -> dict[str, Any]:
    """Return error bars of a mark, none where there is no number."""
    array = small(np.asarray(values, dtype=float))
    return {"type": "data", "array": array, "thickness": thickness, "width": width, **options}


def rule(
    figure: go.Figure,
    colour: str,
    *,
    x: Any = None,
    y: Any = None,
    dash: str = "solid",
    width: float = 1,
    **options: Any,
) -> None:
    """Draw a straight line through the plot, upright at `x` or level at `y`."""
    look = {"color": colour, "width": width, "dash": dash}
    if x is not None:
        figure.add_vline(x=x, line=look, **options)
    if y is not None:
        figure.add_hline(y=y, line=look, **options)


def note(
    figure: go.Figure, text: str, x: Any, y: Any, *, colour: str, size: float = 12, **options: Any
) -> None:
    """Write a few words into the plot."""
    font = {"size": size, "color": colour}
    figure.add_annotation(text=text, x=x, y=y, showarrow=False, font=font, **options)


def colour_bar(**options: Any) -> dict[str, Any]:
    """Return a level colour bar, on the left below the plot if nothing else is asked for."""
    return {
        "orientation": "h", "thickness": 8, "len": 0.42, "x": 0, "xanchor": "left",
        "yref": "container", "y": 0.01, "yanchor": "bottom", "outlinewidth": 0, **options,
    }  # fmt: skip


def ticks(labels: Sequence[str], places: Any = None, **options: Any) -> dict[str, Any]:
    """Return an axis with a text at each place, from 0 on if none are given."""
    shown = range(len(labels)) if places is None else places
    return {"tickvals": list(shown), "ticktext": list(labels), **options}


def named(palette: Palette, **options: Any) -> dict[str, Any]:
    """Return an axis whose ticks are names: no grid, no tick marks, in the colour of text."""
    font = {"color": palette.text, **options.pop("tickfont", {})}
    return {"showgrid": False, "ticks": "", "tickfont": font, **options}


def zero(palette: Palette) -> dict[str, Any]:
    """Return an axis with a line at 0."""
    return {"zeroline": True, "zerolinecolor": palette.quiet}
