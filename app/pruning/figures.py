"""Pictures of what pruning costs: models beside one another by domain, and cost against size."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, error, points, rule, small, ticks
from app.figures.markup import short
from app.figures.theme import Palette

Role = Literal["dense", "plan", "baseline"]
ALL = "all domains"
_SYMBOLS = ("circle", "square", "triangle-up", "cross", "hexagon", "star-triangle-down", "bowtie")
_MOST_NAME = 22


#: Columns of a table of marks, a row per model and domain (`ALL` for the whole text): the quantity
#: that is drawn with its error, NaN where there is none, and what the error is over ("documents").
MARKS = ("label", "role", "domain", "value", "error", "spread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Quantity of a chart: its axis title, and whether it is a difference from something at 0."""

    title: str
    is_difference: bool = False
    digits: int = 2


PERPLEXITY = Quantity(title="perplexity")
ABOVE_DENSE = Quantity(title="nats per token above dense", is_difference=True, digits=4)
ABOVE_PLAN = Quantity(title="nats per token above your plan", is_difference=True, digits=4)


def comparison_chart(marks: pd.DataFrame, quantity: Quantity, *, palette: Palette) -> Picture:
    """Draw each model on each domain with ±1 standard error, the whole text on top.

    Parameters
    ----------
    marks : DataFrame
        With the columns `MARKS`.
    """
    domains = sorted(marks["domain"].unique(), key=lambda name: name != ALL)
    labels = list(marks["label"].unique())
    figure = go.Figure()
    markers = markers_of(list(zip(marks["label"], marks["role"], strict=True)), palette)
    spacing = 0.8 / max(len(labels), 1)
    for number, (label, own) in enumerate(marks.groupby("label", sort=False)):
        offset = (number - (len(labels) - 1) / 2) * spacing
        places = np.array([domains.index(name) + offset for name in own["domain"]])
        points(
            figure, own["value"], places,
            marker=markers[str(label)], colour=None, name=safe(str(label)),
            error_x=error(own["error"], thickness=1.4),
            customdata=[
                [safe(m["domain"]), _mark_text(m, quantity)] for m in own.to_dict("records")
            ],
            hover="%{fullData.name}, %{customdata[0]}: %{customdata[1]}",
        )  # fmt: skip
    x = {"title": quantity.title, "showgrid": True, "nticks": 6}
    if quantity.is_difference:
        rule(figure, palette.quiet, x=0, dash="dot")
    elif is_wide(marks["value"]):
        x |= {"title": f"{quantity.title} (log)"} | log_axis(marks["value"])
    rows = {"range": [len(domains) - 0.45, -0.55], "showgrid": False, "ticks": ""}
    style(
        figure, palette, height=92 + len(domains) * (22 + 13 * len(labels)), legend=True, x=x,
        y=ticks([safe(short(name, _MOST_NAME)) for name in domains], **rows),
    )  # fmt: skip
    for edge in range(1, len(domains)):
        rule(figure, palette.line, y=edge - 0.5)
    return Picture(
        figure=figure,
        alternative=_comparison_sentence(marks, quantity),
        table=marks[["domain", "label", "value", "error", "spread"]].rename(
            columns={
                "label": "model", "value": quantity.title, "error": "± SE", "spread": "error over",
            }
        ),
    )  # fmt: skip


def _mark_text(mark: Mapping[Any, Any], quantity: Quantity) -> str:
    if not math.isfinite(mark["value"]):
        return "not finite"
    sign = "+" if quantity.is_difference else ""
    text = f"{mark['value']:{sign}.{quantity.digits}f}"
    if math.isfinite(mark["error"]):
        text += f" ± {mark['error']:.{quantity.digits}f}"
    return f"{text} (over {safe(mark['spread'])})" if mark["spread"] else text


def _comparison_sentence(marks: pd.DataFrame, quantity: Quantity) -> str:
    is_overall = (marks["domain"] == ALL) & np.isfinite(marks["value"].astype(float))
    overall = marks[is_overall].to_dict("records")
    if not overall:
        return f"{quantity.title.capitalize()}: nothing read yet."
    mark_texts = [f"{m['label']} {_mark_text(m, quantity)}" for m in overall]
    rivals = [m for m in overall if m["role"] == "baseline"]
    plan = next((m for m in overall if m["role"] == "plan"), None)
    text = f"{quantity.title.capitalize()}, all domains: {', '.join(mark_texts)}."
    if plan is not None and rivals:
        best_rival = min(rivals, key=lambda m: m["value"])
        relation = "below" if plan["value"] < best_rival["value"] else "not below"
        name = f"{plan['label'][:1].upper()}{plan['label'][1:]}"
        text += f" {name} is {relation} the best of the others, {best_rival['label']}."
    return text


def markers_of(roles: Sequence[tuple[str, Role]], palette: Palette) -> dict[str, dict[str, Any]]:
    """Return the marker of each model: shape and colour together, so that neither is needed."""
    markers: dict[str, dict[str, Any]] = {}
    number = 0
    for label, role in roles:
        if label in markers:
            continue
        if role == "dense":
            markers[label] = {"color": palette.text, "symbol": "line-ns-open", "size": 11}
            markers[label]["line"] = {"width": 2}
        elif role == "plan":
            markers[label] = {"color": palette.accent, "symbol": "diamond", "size": 12}
        else:
            series = palette.series[1:]
            markers[label] = {
                "color": series[number % len(series)],
                "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                "size": 8,
            }
            number += 1
    return markers


def overlap_profile(table: pd.DataFrame, *, first: str, second: str, palette: Palette) -> Picture:
    """Draw which units two plans both remove, and which only one of them does, layer by layer.

    Parameters
    ----------
    table : DataFrame
        As `plan_history.overlap` returns it.
    """
    layers = table.drop(index="all")
    number = np.arange(len(layers))
    figure = go.Figure()
    kinds = (
        ("both", "removed by both", palette.quiet, ""),
        ("first_only", f"only by {first}", palette.accent, "/"),
        ("second_only", f"only by {second}", palette.series[1], "\\"),
    )
    for column, name, colour, shape in kinds:
        bars(
            figure, number, layers[column], colour=colour, name=safe(name),
            marker={
                "pattern": {
                    "shape": shape, "bgcolor": colour, "fgcolor": palette.canvas, "size": 6,
                    "solidity": 0.25,
                }
            },
            customdata=small(layers[["jaccard", "chance"]].to_numpy()),
            hover="layer %{x}, %{fullData.name}: %{y:,} units; overlap %{customdata[0]:.2f}, by "
            "chance %{customdata[1]:.2f}",
        )  # fmt: skip
    style(
        figure, palette, height=280, legend=True, barmode="stack", bargap=0.12, x="layer",
        y={"title": "units removed", "nticks": 5},
    )  # fmt: skip
    figure.update_layout(legend_traceorder="normal")
    overall = table.loc[["all"]].to_dict("records")[0]
    return Picture(
        figure=figure,
        alternative=(
            f"Both plans remove {int(overall['both']):,} units in common; {first} alone removes "
            f"{int(overall['first_only']):,}, {second} alone {int(overall['second_only']):,}. "
            f"Overlap (Jaccard) {overall['jaccard']:.2f}, by chance {overall['chance']:.2f}."
        ),
        table=table.reset_index(),
    )


def is_wide(values: Iterable[float]) -> bool:
    """Whether positive values span so much that a logarithmic axis shows them better."""
    finite = [value for value in values if math.isfinite(value) and value > 0]
    return bool(finite) and max(finite) > 4 * min(finite)


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """Return ticks at 1, 2 and 5 times powers of ten, written out: bare digits say too little."""
    finite = [value for value in values if math.isfinite(value) and value > 0]
    powers = range(math.floor(math.log10(min(finite))), math.ceil(math.log10(max(finite))) + 1)
    places = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return {"type": "log", **ticks([f"{place:,g}" for place in places], places)}
