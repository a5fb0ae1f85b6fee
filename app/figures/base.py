"""The picture: a figure, its text alternative, its numbers, and the house style."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import Palette
from fnprune_core.probability import p_text

#: Code name → words. Others lose their underscores only.
COLUMN_NAMES = {
    "achieved_ratio": "share of units removed",
    "again_bootstrap": "found again over bootstraps",
    "again_seeds": "found again over seeds",
    "change": "loss change, nats per token",
    "change_error": "its standard error",
    "course_kurtosis": "kurtosis of the time course",
    "difference_error": "standard error of the difference",
    "effect_size": "Hedges' g",
    "excess": "beyond random lesions",
    "first_only": "first plan only",
    "healthy": "loss of the healthy model",
    "high": "to (95 % interval)",
    "is_dummy": "left out",
    "jaccard": "overlap (Jaccard)",
    "lesion_error": "error over lesions",
    "log_probability": "log-probability",
    "low": "from (95 % interval)",
    "magnitude_ratio": "magnitude, random ÷ lesion",
    "map_kurtosis": "kurtosis of the map",
    "p_corrected": "p, corrected",
    "q": "q (corrected p)",
    "random": "mean of random lesions",
    "random_sd": "SD of random lesions",
    "removed_fraction": "share of parameters removed",
    "reproducibility": "split-half r",
    "reproducibility_sd": "SD of split-half r over splits",
    "run_agreement": "agreement of runs",
    "second_only": "second plan only",
    "std": "SD",
    "text_error": "error over texts",
    "top_domain": "first domain",
    "top_domain_share": "share in its first domain",
    "variance_alone": "variance alone",
    "variance_left_out": "variance lost when left out",
}
_P_COLUMNS = ("p", "q", "p_corrected")
Axis = str | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A figure, one sentence that says what it shows, and the numbers behind it."""

    figure: Any
    alternative: str
    table: pd.DataFrame


def safe(text: str) -> str:
    """Return text of unknown origin for a chart, which knows the entities of <, > and & alone."""
    return html.escape(text, quote=False)


def style(
    figure: Any,
    palette: Palette,
    *,
    height: int,
    x: Axis = None,
    y: Axis = None,
    legend: bool = False,
    **layout: Any,
) -> Any:
    """Set a figure's type and colours to the page's; the page shows through behind it.

    Parameters
    ----------
    x, y : str or mapping, optional
        The title of all axes in this direction, or what plotly can set of them.
    legend : bool
        Whether the names of traces stand in a line above the plot.
    **layout
        What else plotly can set.
    """
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
    font = {"family": palette.font, "size": 13}
    styled = {
        "template": "none",
        "height": height,
        "margin": {"l": 48, "r": 12, "t": 36 if legend else 12, "b": 44, "pad": 2},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {**font, "color": palette.quiet},
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {**font, "color": palette.text},
        },
        "showlegend": legend,
        "dragmode": False,
        "bargap": 0.25,
        **dict.fromkeys(_axes(present, "xaxis"), _merged(axis | {"showgrid": False}, _axis(x))),
        **dict.fromkeys(_axes(present, "yaxis"), _merged(axis, _axis(y))),
    }
    if legend:
        styled["legend"] = {
            "orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)",
            "font": {"color": palette.text},
        }  # fmt: skip
    # At once: changing one value after the other takes plotly eight times as long.
    figure.layout = go.Layout(_merged(_merged(present, styled), layout))
    return figure


def _axis(given: Axis) -> dict[str, Any]:
    options = {"title": given} if isinstance(given, str) else dict(given or {})
    return options | ({"title": {"text": options["title"]}} if "title" in options else {})


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


def column_name(column: str) -> str:
    """Return a column's name in words."""
    return COLUMN_NAMES.get(column, column.replace("_", " "))


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as people read it: columns named in words, p and q as `p_text` gives them."""
    texts = {column: table[column].map(p_text) for column in _P_COLUMNS if column in table}
    return table.assign(**texts).rename(columns=lambda column: column_name(str(column)))
