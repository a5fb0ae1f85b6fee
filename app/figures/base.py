"""The picture: a figure, its text alternative, its numbers, and the house style."""

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd

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
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": left, "r": 12, "t": 12, "b": bottom, "pad": 2},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": palette.font, "size": 13, "color": palette.quiet},
        hoverlabel={
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"family": palette.font, "size": 13, "color": palette.text},
        },
        showlegend=False,
        dragmode=False,
        bargap=0.25,
    )
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "tickcolor": palette.line,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "title_standoff": 8,
        "title_font": {"size": 13, "color": palette.quiet},
        "automargin": True,
    }
    figure.update_xaxes(showgrid=False, **axis)
    figure.update_yaxes(**axis)
    return figure


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
