"""The picture: a figure, its text alternative, its numbers, and the house style."""

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import Palette


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A figure, one sentence that says what it shows, and the numbers behind it."""

    figure: Any
    alternative: str
    table: pd.DataFrame


def safe(text: str) -> str:
    """Return text of unknown origin for a chart, which knows the entities of <, > and & alone."""
    return html.escape(text, quote=False)


def style(figure: Any, palette: Palette, *, height: int, left: int = 48, bottom: int = 44) -> Any:
    """Set a figure's type and colours to the page's; the page shows through behind it."""
    present = figure.layout.to_plotly_json()
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "tickcolor": palette.line,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "title": {"standoff": 8, "font": {"size": 13, "color": palette.quiet}},
        "automargin": True,
    }
    styled = {
        "template": "none",
        "height": height,
        "margin": {"l": left, "r": 12, "t": 12, "b": bottom, "pad": 2},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": palette.font, "size": 13, "color": palette.quiet},
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"family": palette.font, "size": 13, "color": palette.text},
        },
        "showlegend": False,
        "dragmode": False,
        "bargap": 0.25,
        **{name: axis | {"showgrid": False} for name in _axes(present, "xaxis")},
        **{name: axis for name in _axes(present, "yaxis")},
    }
    # At once: changing one value after the other takes plotly eight times as long.
    figure.layout = go.Layout(_merged(present, styled))
    return figure


def _axes(layout: dict[str, Any], prefix: str) -> set[str]:
    return {prefix, *(name for name in layout if name.startswith(prefix))}


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return two nested dicts as one; the second says what both say."""
    merged = dict(first)
    for name, value in second.items():
        before = merged.get(name)
        both = isinstance(before, dict) and isinstance(value, dict)
        merged[name] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return merged


def legend_on_top(figure: Any, palette: Palette) -> None:
    """Show the legend in one line above the plot."""
    figure.update_layout(
        showlegend=True,
        margin_t=36,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "font": {"color": palette.text},
            "bgcolor": "rgba(0,0,0,0)",
        },
    )
