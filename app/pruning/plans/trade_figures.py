"""Pictures of cost against size: plans of several ratios, and the dense model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import error, line, rule
from app.figures.theme import Palette
from app.pruning.figures import PERPLEXITY, Quantity, is_wide, log_axis, markers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The dense model's perplexity, drawn as a band."""

    perplexity: float
    error: float


#: Columns of value and error: of perplexity, and of the difference to dense.
_COLUMNS = {False: ("perplexity", "error"), True: ("difference", "difference_error")}


AXES = {
    "ratio": "MLP units removed, %",
    "parameters": "parameters kept, %",
}


def trade_chart(
    table: pd.DataFrame,
    dense: Level | None,
    *,
    axis: str,
    quantity: Quantity = PERPLEXITY,
    own: str = "",
    palette: Palette,
) -> Picture:
    """Draw what plans cost against how much goes: one line for each series of plans.

    Parameters
    ----------
    table : DataFrame
        As `sweeping.pooled` returns it, with a column ``series`` that names the line.
    axis : {"ratio", "parameters"}
        Share of MLP units removed, or of parameters kept.
    quantity : Quantity
        Perplexity, or what it is above dense, paired by window.
    own : str
        The series that is drawn in the accent colour.
    """
    figure = go.Figure()
    value, error_column = _COLUMNS[quantity.is_difference]
    measured = table[np.isfinite(table[value].astype(float))]
    names = list(dict.fromkeys(measured["series"]))
    markers = markers_of([(n, "plan" if n == own else "baseline") for n in names], palette)
    percent = _percent(measured, axis)
    for name in names:
        rows = measured[measured["series"] == name].assign(percent=percent).sort_values("percent")
        deviation = rows[error_column].astype(float)
        line(
            figure, rows["percent"], rows[value].astype(float), colour=markers[name]["color"],
            width=3 if name == own else 1.5, mode="lines+markers", marker=markers[name],
            name=safe(name), error_y=error(deviation, thickness=1.2, width=4),
            customdata=np.array([_point_text(row) for row in rows.to_dict("records")])[:, None],
            hover="%{fullData.name}: %{customdata[0]}",
        )  # fmt: skip
    y = {"title": quantity.title, "nticks": 6}
    levels = [*measured[value], *([dense.perplexity] if dense else [])]
    if not quantity.is_difference and is_wide(levels):
        y |= {"title": "perplexity (log)"} | log_axis(levels)
    x = {"title": AXES[axis], "showgrid": True, "nticks": 8}
    if axis == "parameters":
        x["autorange"] = "reversed"
    style(figure, palette, height=420, legend=True, x=x, y=y)
    if quantity.is_difference:
        _draw_dense(figure, Level(perplexity=0.0, error=math.nan), palette, text="dense")
    elif dense is not None:
        _draw_dense(figure, dense, palette, text=f"dense {dense.perplexity:.2f}")
    return Picture(
        figure=figure,
        alternative=_trade_sentence(measured, dense, quantity),
        table=table.drop(columns=["plan_id"], errors="ignore").reset_index(drop=True),
    )


def _percent(table: pd.DataFrame, axis: str) -> pd.Series:
    if axis == "ratio":
        return 100 * table["achieved_ratio"].astype(float)
    return 100 * (1 - table["share_of_parameters"].astype(float))


def _draw_dense(figure: Any, dense: Level, palette: Palette, *, text: str) -> None:
    if math.isfinite(dense.error):
        figure.add_hrect(
            y0=dense.perplexity - dense.error, y1=dense.perplexity + dense.error,
            fillcolor=palette.quiet, opacity=0.15, line_width=0,
        )  # fmt: skip
    font = {"color": palette.text, "size": 12}
    label = {"text": text, "font": font, "xanchor": "right", "yanchor": "bottom"}
    rule(figure, palette.text, y=dense.perplexity, width=1.5, dash="dot", annotation=label)


def _point_text(row: Mapping[str, Any]) -> str:
    spread_text = f"{row['seeds']} plans" if row["spread"] == "seeds" else "the text"
    return (
        f"{row['perplexity']:.2f} ± {row['error']:.2f} over {spread_text}, "
        f"{100 * row['achieved_ratio']:.1f} % of units go, "
        f"{100 * row['share_of_parameters']:.1f} % of parameters"
    )


def _trade_sentence(measured: pd.DataFrame, dense: Level | None, quantity: Quantity) -> str:
    start = "" if dense is None else f"Dense {dense.perplexity:.2f} ± {dense.error:.2f}. "
    if measured.empty:
        return f"{start}No pruned model was measured yet."
    value, error_column = _COLUMNS[quantity.is_difference]
    sign, digits = ("+", quantity.digits) if quantity.is_difference else ("", 2)
    largest_ratio = measured["ratio"].max()
    largest = measured[measured["ratio"] == largest_ratio].sort_values(value)
    series_texts = [
        f"{row['series']}: {row[value]:{sign}.{digits}f} ± {row[error_column]:.{digits}f}"
        for row in largest.to_dict("records")
    ]
    place = (
        f"{quantity.title.capitalize()} with {100 * largest_ratio:.0f} % of MLP units asked to go"
    )
    return f"{start}{place}. {'; '.join(series_texts)}."
