"""Pictures of trust: each network's figures, the nulls they are read against, the choice of K."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, legend_on_top, style
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
        One row a network: network, variance_alone, the figure's column, name.
    limits : mapping
        Name of a null → its 95th percentile of the figure.
    """
    values = table[figure.column].to_numpy(dtype=np.float32)
    variance = table["variance_alone"].to_numpy(dtype=np.float32) * 100
    is_selected = (table["network"] == selected).to_numpy()
    colours = [palette.accent if s else rgba(palette.quiet, 0.75) for s in is_selected]
    chart = go.Figure(
        go.Scatter(
            x=variance,
            y=values,
            mode="markers",
            customdata=table["network"].to_numpy(),
            text=[html.escape(str(name)) for name in table["name"]],
            marker={
                "size": np.where(is_selected, 15, 9),
                "color": colours,
                "line": {"color": palette.canvas, "width": 1},
            },
            selected={"marker": {"color": palette.accent}},
            unselected={"marker": {"opacity": 0.8}},
            hovertemplate=(
                f"network %{{customdata}}, %{{text}}<br>{figure.title} %{{y:.2f}}"
                "<br>alone %{x:.2f} % of variance<extra></extra>"
            ),
        )
    )
    style(chart, palette, height=340)
    if is_selected.any():
        row = int(np.flatnonzero(is_selected)[0])
        chart.add_annotation(
            x=variance[row],
            y=values[row],
            text=f"{selected}",
            showarrow=False,
            yshift=16,
            font={"color": palette.text},
        )
    chart.update_xaxes(title_text="% of variance it explains alone", rangemode="tozero")
    if figure.is_share:
        chart.update_yaxes(title_text=figure.title, range=[0, 1.08])
    else:
        chart.update_yaxes(title_text=figure.title, rangemode="tozero")
    _limit_lines(chart, limits, palette, vertical=False, span=float(np.nanmax(values)))
    columns = ["network", "name", figure.column, "variance_alone", "variance_left_out"]
    return Picture(
        figure=chart,
        alternative=_describe(table, figure, limits),
        table=table[[name for name in columns if name in table]],
    )


def _limit_lines(
    chart: go.Figure, limits: Mapping[str, float], palette: Palette, *, vertical: bool, span: float
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
            line = {"color": palette.text, "dash": _DASHES[number % 2], "width": 1}
            if vertical:
                chart.add_vline(x=value, line=line)
            else:
                chart.add_hline(y=value, line=line)
        label = ", ".join(name for name, _ in group)
        position = {"x": group[-1][1], "yref": "paper", "y": 1.0, "yanchor": "bottom"}
        if not vertical:
            position = {"y": group[-1][1], "xref": "paper", "x": 1.0, "yanchor": "bottom"}
        chart.add_annotation(
            text=label,
            showarrow=False,
            xanchor="center" if vertical else "right",
            font={"color": palette.quiet, "size": 12},
            **position,
        )


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
    chart = go.Figure()
    centres = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    counts = {"networks": np.histogram(values, edges)[0] / max(len(values), 1) * 100}
    for name, null_sample in nulls.items():
        counts[name] = np.histogram(null_sample, edges)[0] / max(len(null_sample), 1) * 100
    chart.add_bar(
        x=centres,
        y=counts["networks"].astype(np.float32),
        name="networks of this atlas",
        marker={"color": rgba(palette.accent, 0.7), "line": {"width": 0}},
        hovertemplate=f"{figure.title} near %{{x:.2f}}: %{{y:.0f}} % of networks<extra></extra>",
    )
    for name, colour in zip(nulls, palette.series[1:], strict=False):
        chart.add_scatter(
            x=centres,
            y=counts[name].astype(np.float32),
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "shape": "hvh"},
            hovertemplate=f"{name}, near %{{x:.2f}}: %{{y:.0f}} %<extra></extra>",
        )
    style(chart, palette, height=300)
    chart.update_layout(bargap=0.05)
    legend_on_top(chart, palette)
    row = table.loc[table["network"] == selected, figure.column]
    if len(row) and not np.isnan(row.iloc[0]):
        chart.add_vline(x=float(row.iloc[0]), line={"color": palette.text, "width": 2})
        chart.add_annotation(
            x=float(row.iloc[0]),
            yref="paper",
            y=0.98,
            text=f"network {selected}",
            showarrow=False,
            xanchor="right" if row.iloc[0] > (low + high) / 2 else "left",
            xshift=-6 if row.iloc[0] > (low + high) / 2 else 6,
            font={"color": palette.text},
        )
    chart.update_xaxes(title_text=figure.title, range=[low, high])
    chart.update_yaxes(title_text="% of maps")
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
    chart.add_scatter(
        x=sizes,
        y=sizes,
        name="all networks",
        mode="lines",
        line={"color": palette.quiet, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    for column, name, colour in (
        ("n_high", "r of 0.7 or more", palette.accent),
        ("n_very_high", "r of 0.8 or more", palette.series[1]),
    ):
        chart.add_scatter(
            x=sizes,
            y=table[column].to_numpy(dtype=np.float32),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker_size=8,
            hovertemplate=f"K %{{x}}: %{{y:.1f}} networks with an {name}<extra></extra>",
            row=1,
            col=1,
        )
    chart.add_scatter(
        x=sizes,
        y=table["median_r"].to_numpy(dtype=np.float32),
        mode="lines+markers",
        showlegend=False,
        line={"color": palette.text, "width": 1.5},
        marker_size=6,
        hovertemplate="K %{x}: median r %{y:.2f}<extra></extra>",
        row=2,
        col=1,
    )
    style(chart, palette, height=400)
    legend_on_top(chart, palette)
    chart.update_yaxes(title_text="networks", rangemode="tozero", row=1, col=1)
    chart.update_yaxes(title_text="median r", range=[0, 1], nticks=3, row=2, col=1)
    chart.update_xaxes(tickvals=sizes, row=1, col=1)
    chart.update_xaxes(title_text="number of networks (K)", tickvals=sizes, row=2, col=1)
    if suggested is not None:
        chart.add_vline(x=suggested, line={"color": palette.text, "dash": "dot", "width": 1})
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
