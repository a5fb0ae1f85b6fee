"""Pictures of trust: each network's figures, the nulls they are read against, the choice of K."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, style
from app.figures.marks import bars, line, note, rule
from app.figures.networks import VARIANCE_ALONE, network_points
from app.figures.theme import Palette, rgba

_DASHES = ("dash", "dot")
#: Where two limits are nearer than this share of the axis, one label says both.
_NEAR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFigure:
    """A figure of networks: its column, and what axes and sentences call it."""

    column: str
    title: str
    is_share: bool = True


def trust_scatter(
    table: pd.DataFrame,
    figure: TrustFigure,
    *,
    selected: int,
    limits: Mapping[str, float],
    palette: Palette,
) -> Picture:
    """Draw a figure of each network against the variance that it explains by itself.

    Parameters
    ----------
    table : DataFrame
        One row per network: network, variance_alone, the figure's column, name.
    limits : mapping
        Name of a null → its 95th percentile of the figure.
    """
    values = table[figure.column].to_numpy(dtype=np.float32)
    chart = network_points(
        table, figure.column, selected=selected, palette=palette, named_by="name",
        hover=f"%{{text}}<br>{figure.title} %{{y:.2f}}<br>alone %{{x:.2f}} % of variance",
    )  # fmt: skip
    extent = {"range": [0, 1.08]} if figure.is_share else {"rangemode": "tozero"}
    style(chart, palette, height=340, x=VARIANCE_ALONE, y={"title": figure.title, **extent})
    for row in table[table["network"] == selected].to_dict("records"):
        place = (100 * row["variance_alone"], row[figure.column])
        note(chart, f"{selected}", *place, colour=palette.text, size=13, yshift=16)
    _limit_lines(chart, limits, palette, span=float(np.nanmax(values)))
    columns = ["network", "name", figure.column, "variance_alone", "variance_left_out"]
    return Picture(
        figure=chart,
        alternative=_describe(table, figure, limits),
        table=table[[name for name in columns if name in table]],
    )


def _limit_lines(
    chart: go.Figure, limits: Mapping[str, float], palette: Palette, *, span: float
) -> None:
    """Draw the nulls' 95th percentiles; near ones share a label."""
    sorted_limits = sorted(limits.items(), key=lambda item: item[1])
    groups: list[list[tuple[str, float]]] = []
    for item in sorted_limits:
        if groups and item[1] - groups[-1][-1][1] < _NEAR * max(span, 1e-9):
            groups[-1].append(item)
        else:
            groups.append([item])
    for number, group in enumerate(groups):
        for _, value in group:
            rule(chart, palette.text, dash=_DASHES[number % 2], y=value)
        label, last = ", ".join(name for name, _ in group), group[-1][1]
        place: dict[str, Any] = {"xref": "paper", "x": 1.0, "y": last, "xanchor": "right"}
        note(chart, label, colour=palette.quiet, yanchor="bottom", **place)


def _describe(table: pd.DataFrame, figure: TrustFigure, limits: Mapping[str, float]) -> str:
    values = table[figure.column].to_numpy(dtype=np.float64)
    text = (
        f"{figure.title[0].upper()}{figure.title[1:]} of {len(values)} networks: "
        f"median {np.nanmedian(values):.2f}, from {np.nanmin(values):.2f} to "
        f"{np.nanmax(values):.2f}"
    )
    limit_sentences = [
        f"{int((values > limit).sum())} are above the 95th percentile of the {name} ({limit:.2f})"
        for name, limit in limits.items()
    ]
    return ("; ".join([text, *limit_sentences])) + "."


def null_histogram(
    table: pd.DataFrame,
    figure: TrustFigure,
    nulls: Mapping[str, NDArray[np.floating]],
    *,
    selected: int,
    palette: Palette,
    most_bins: int = 40,
) -> Picture:
    """Draw how a figure of the networks is spread, beside that of data without networks.

    Parameters
    ----------
    nulls : mapping
        Name of a null → its values.
    """
    values = table[figure.column].to_numpy(dtype=np.float64)
    all_values = np.concatenate([values[~np.isnan(values)], *nulls.values()])
    low, high = (
        (0.0, 1.0)
        if figure.is_share
        else (float(min(all_values.min(), 0)), float(all_values.max()))
    )
    edges = np.linspace(low, high if high > low else low + 1, most_bins + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    counts = {"networks": np.histogram(values, edges)[0] / max(len(values), 1) * 100}
    for name, null_sample in nulls.items():
        counts[name] = np.histogram(null_sample, edges)[0] / max(len(null_sample), 1) * 100
    chart = bars(
        go.Figure(), centres, counts["networks"], colour=rgba(palette.accent, 0.7),
        name="networks of this atlas",
        hover=f"{figure.title} near %{{x:.2f}}: %{{y:.0f}} % of networks",
    )  # fmt: skip
    for name, colour in zip(nulls, palette.series[1:], strict=False):
        line(
            chart, centres, counts[name], colour=colour, line={"shape": "hvh"}, name=name,
            hover=f"{name}, near %{{x:.2f}}: %{{y:.0f}} %",
        )  # fmt: skip
    style(
        chart, palette, height=300, legend=True, bargap=0.05, y="% of maps",
        x={"title": figure.title, "range": [low, high]},
    )  # fmt: skip
    row = table.loc[table["network"] == selected, figure.column]
    if len(row) and not np.isnan(row.iloc[0]):
        place, is_right = float(row.iloc[0]), row.iloc[0] > (low + high) / 2
        rule(chart, palette.text, x=place, width=2)
        note(
            chart, f"network {selected}", place, 0.98, colour=palette.text, size=13, yref="paper",
            xanchor="right" if is_right else "left", xshift=-6 if is_right else 6,
        )  # fmt: skip
    limits = {
        name: float(np.quantile(null_sample, 0.95))
        for name, null_sample in nulls.items()
        if null_sample.size
    }
    return Picture(
        figure=chart,
        alternative=_describe(table, figure, limits),
        table=pd.DataFrame(
            {
                "from": edges[:-1].round(3),
                "to": edges[1:].round(3),
                **{f"% of {name}": share.round(1) for name, share in counts.items()},
            }
        ),
    )


def size_chart(table: pd.DataFrame, *, suggested: int | None, palette: Palette) -> Picture:
    """Draw how many networks two halves of the documents agree on, by their number K.

    Parameters
    ----------
    table : DataFrame
        As `SizeCurve.table` makes it.
    """
    sizes = table["k"].to_numpy()
    chart = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.08
    )
    line(
        chart, sizes, sizes, colour=palette.quiet, width=1, line={"dash": "dot"},
        name="all networks", row=1, col=1,
    )  # fmt: skip
    for column, name, colour in (
        ("n_high", "r of 0.7 or more", palette.accent),
        ("n_very_high", "r of 0.8 or more", palette.series[1]),
    ):
        line(
            chart, sizes, table[column], colour=colour, mode="lines+markers", name=name,
            marker={"size": 8}, hover=f"K %{{x}}: %{{y:.1f}} networks with an {name}", row=1, col=1,
        )  # fmt: skip
    line(
        chart, sizes, table["median_r"], colour=palette.text, width=1.5, mode="lines+markers",
        marker={"size": 6}, showlegend=False, hover="K %{x}: median r %{y:.2f}", row=2, col=1,
    )  # fmt: skip
    style(chart, palette, height=400, legend=True, x={"tickvals": sizes})
    chart.update_yaxes(title_text="networks", rangemode="tozero", row=1, col=1)
    chart.update_yaxes(title_text="median r", range=[0, 1], nticks=3, row=2, col=1)
    chart.update_xaxes(title_text="number of networks (K)", row=2, col=1)
    if suggested is not None:
        rule(chart, palette.text, x=suggested, dash="dot")
    return Picture(
        figure=chart,
        alternative=_describe_sizes(table, suggested),
        table=table.rename(
            columns={
                "k": "K",
                "median_r": "median r",
                "n_high": "networks with r of 0.7 or more",
                "n_very_high": "networks with r of 0.8 or more",
                "yield": "number × share of r of 0.7 or more",
            }
        ).round(2),
    )


def _describe_sizes(table: pd.DataFrame, suggested: int | None) -> str:
    counts_text = "; ".join(
        f"{row.n_high:.0f} of {row.k:.0f}" for row in table.itertuples(index=False)
    )
    text = f"Networks that two halves of the documents agree on (r of 0.7 or more): {counts_text}."
    return text if suggested is None else f"{text} Suggested K: {suggested}."
