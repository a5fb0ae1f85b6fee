"""Pictures of networks: their places, their time courses, their domains."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.maps import add_profile, threshold_bar
from app.figures.marks import bars, cells, line, named, points, rule
from app.figures.markup import visible
from app.figures.raster import bin_starts, group_columns, pool_columns
from app.figures.theme import Palette, diverging_scale, parcel_scale, rgba

MAP_COLUMNS = 768
_SPACE = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def _layers_text(layers: NDArray[np.integer]) -> str:
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers.min()} to {layers.max()}"


def network_map(
    values: NDArray[np.floating],
    profile: NDArray[np.floating],
    *,
    network: int,
    threshold: float,
    limit: float,
    palette: Palette,
    labels: NDArray[np.integer] | None = None,
) -> Picture:
    """Draw a network over layers × units, and beside it the share of each layer it holds.

    Parameters
    ----------
    values : ndarray (n_layers, width)
        z, NaN beyond the end of a layer.
    profile : ndarray (n_layers,)
        Fraction of the layer's units with abs(z) above the threshold.
    limit : float
        abs(z) of the strongest colour, the same for all networks of an atlas.
    labels : ndarray (n_layers, width), optional
        Network of each unit (-1: none); given, units are grouped by it in place of their index.
    """
    arranged_values = values if labels is None else group_columns(values, labels)
    pooled = pool_columns(arranged_values, MAP_COLUMNS)
    pooled = np.where(np.abs(np.nan_to_num(pooled)) > threshold, pooled, pooled * 0)
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.86, 0.14], horizontal_spacing=0.02
    )
    has_index = labels is None
    place_text = "near unit %{x}" if has_index else "grouped by network"
    cells(
        figure, pooled, x=bin_starts(values.shape[1], MAP_COLUMNS), y=np.arange(len(values)),
        span=(-limit, limit), scale=diverging_scale(palette, threshold=threshold, limit=limit),
        hover=f"layer %{{y}}, {place_text}<br>z %{{z:.1f}}",
        colorbar=threshold_bar(threshold, limit), row=1, col=1,
    )  # fmt: skip
    add_profile(figure, profile, palette, row=1, col=2)
    style(figure, palette, height=max(300, 150 + 9 * len(values)), margin={"b": 96})
    figure.update_xaxes(
        title_text="units, by index" if has_index else "units, grouped by network",
        showticklabels=has_index, ticks="outside" if has_index else "", nticks=5, row=1, col=1,
    )  # fmt: skip
    figure.update_yaxes(title_text="layer", showgrid=False, row=1, col=1)
    figure.update_yaxes(showgrid=False, showticklabels=False, ticks="", row=1, col=2)
    return Picture(
        figure=figure,
        alternative=_describe_map(values, profile, network=network, threshold=threshold),
        table=pd.DataFrame(
            {
                "layer": np.arange(len(values)),
                f"% of units with |z| > {threshold:g}": np.round(profile * 100, 3),
                "largest z": np.nanmax(values, axis=1).round(2),
                "smallest z": np.nanmin(values, axis=1).round(2),
            }
        ),
    )


def _describe_map(
    values: NDArray[np.floating], profile: NDArray[np.floating], *, network: int, threshold: float
) -> str:
    count = int((np.abs(np.nan_to_num(values)) > threshold).sum())
    total = int((~np.isnan(values)).sum())
    if not count:
        return f"Network {network}: no unit has |z| above {threshold:g}."
    strong_layers = np.flatnonzero(profile >= profile.max() / 2)
    return (
        f"Network {network}: {count:,} of {total:,} units have |z| above {threshold:g}, "
        f"most of them in {_layers_text(strong_layers)}; the peak is layer {int(profile.argmax())} "
        f"with {100 * profile.max():.1f} % of its units."
    )


def parcellation_map(
    labels: NDArray[np.integer],
    *,
    n_networks: int,
    palette: Palette,
    n_columns: int = 384,
    colours: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Picture:
    """Draw the composition of each layer: its units grouped by the network they belong to.

    Parameters
    ----------
    labels : ndarray (n_layers, width)
        Network of each unit, -1 where it reaches the threshold in none, -2 beyond a layer's end.
    colours, names : sequence of str, optional
        One a network.
    """
    end_key = np.iinfo(np.int32).max
    keys = np.where(labels == -2, end_key, np.where(labels == -1, end_key - 1, labels))
    grouped = np.take_along_axis(labels, np.argsort(keys, axis=1, kind="stable"), axis=1)
    columns = np.linspace(0, labels.shape[1] - 1, min(n_columns, labels.shape[1])).astype(int)
    shown_labels = grouped[:, columns].astype(np.float32)
    shown_labels[shown_labels == -2] = np.nan
    told = "" if names is None else " · %{customdata}"
    figure = cells(
        go.Figure(), shown_labels, x=np.linspace(0, 100, len(columns)), y=np.arange(len(labels)),
        span=(-1.5, n_networks - 0.5),
        scale=parcel_scale(palette, n_networks, colours=colours),
        customdata=None if names is None else _hover_names(shown_labels, names),
        hover="layer %{y}: network %{z}" + told,
    )  # fmt: skip
    style(
        figure, palette, height=max(260, 90 + 8 * len(labels)),
        x="% of the layer's units, grouped by network", y={"title": "layer", "showgrid": False},
    )  # fmt: skip
    valid = labels != -2
    share = ((labels >= 0) & valid).sum(axis=1) / valid.sum(axis=1)
    sizes = np.bincount(labels[labels >= 0].ravel(), minlength=n_networks)
    alternative = (
        f"Parcellation: {100 * share.mean():.0f} % of all units belong to one of {n_networks} "
        f"networks, from {100 * share.min():.0f} % (layer {share.argmin()}) to "
        f"{100 * share.max():.0f} % (layer {share.argmax()}) of a layer; the largest is network "
        f"{sizes.argmax()} with {sizes.max():,} units."
    )
    table = pd.DataFrame({"network": np.arange(n_networks), "units": sizes})
    return Picture(figure=figure, alternative=alternative, table=table)


def _hover_names(labels: NDArray[np.floating], names: Sequence[str]) -> NDArray[np.object_]:
    """Return the name of each cell's network, escaped; −2 and −1 index from the end."""
    words = np.array([*(safe(name[:40]) for name in names), "", "none"], dtype=object)
    cells = np.nan_to_num(labels, nan=-2.0).astype(np.int64)
    return np.asarray(words[cells], dtype=object)


def shown_token(text: str) -> str:
    """Return a token's text with its white space made visible, not yet escaped."""
    return "".join(_SPACE.get(c, c) for c in visible(text)) or "(empty)"


def time_course(
    values: NDArray[np.floating],
    texts: Sequence[str],
    *,
    network: int,
    palette: Palette,
    n_dummy_tokens: int = 0,
    selected: int | None = None,
) -> Picture:
    """Draw a network's strength token by token over a session.

    Parameters
    ----------
    values : ndarray (n_tokens,)
        NaN on dummy tokens.
    selected : int, optional
        A token to be marked.
    """
    x = np.arange(len(values))
    finite = np.nan_to_num(values).astype(np.float32)
    figure = go.Figure()
    for half, colour in (
        (np.maximum(finite, 0), palette.hot[1]),
        (np.minimum(finite, 0), palette.cold[1]),
    ):
        line(figure, x, half, colour=None, width=0, fill="tozeroy", fillcolor=rgba(colour, 0.45))
    line(
        figure, x, values, colour=palette.text, width=1,
        customdata=[safe(visible(text)) for text in texts],
        hover="token %{x}: “%{customdata}”<br>strength %{y:.2f}",
    )  # fmt: skip
    style(
        figure, palette, height=190, x="token in the session", y={"title": "strength", "nticks": 4}
    )
    if n_dummy_tokens:
        rule(figure, palette.line, x=n_dummy_tokens - 0.5)
    if selected is not None and 0 <= selected < len(values):
        rule(figure, palette.accent, x=selected, width=1.5)
    peak = int(np.abs(finite).argmax())
    return Picture(
        figure=figure,
        alternative=(
            f"Time course of network {network} over {len(values)} tokens, from "
            f"{finite.min():.2f} to {finite.max():.2f}; strongest at token {peak}, "
            f"“{shown_token(texts[peak])}”."
        ),
        table=pd.DataFrame({"token": x, "text": list(texts), "strength": values.round(3)}),
    )


def domain_bars(share: NDArray[np.floating], names: Sequence[str], *, palette: Palette) -> Picture:
    """Draw how a network's energy divides over domains: shares (n_domains,) that sum to one."""
    order = np.argsort(share)
    percent = share[order] * 100
    colours = [palette.accent if value > 50 else palette.quiet for value in percent]
    figure = bars(
        go.Figure(), percent, [safe(names[i]) for i in order], colour=colours, orientation="h",
        text=[f"{value:.0f} %" for value in percent], textposition="outside", cliponaxis=False,
        textfont={"color": palette.text}, hover="%{y}: %{x:.1f} % of the energy",
    )  # fmt: skip
    style(
        figure, palette, height=56 + 30 * len(names), y=named(palette),
        x={"title": "% of energy per token", "range": [0, 112], "tickvals": [0, 50, 100]},
    )  # fmt: skip
    top = int(share.argmax())
    return Picture(
        figure=figure,
        alternative=f"Most of the energy, {100 * share[top]:.0f} %, falls in {names[top]}; "
        "energy is squared strength, so the bars have no sign.",
        table=pd.DataFrame({"domain": list(names), "share of energy": share.round(4)}),
    )


def agreement_scatter(table: pd.DataFrame, *, selected: int | None, palette: Palette) -> Picture:
    """Draw how far runs agree on each network against the variance it explains by itself.

    Parameters
    ----------
    table : DataFrame
        As `NetworkAtlas.table()` makes it.
    """
    agreement, variance = table["run_agreement"].to_numpy(), table["variance_alone"].to_numpy()
    figure = network_points(
        table, "run_agreement", selected=selected, palette=palette, named_by="top_domain",
        hover="agreement of runs %{y:.2f}, alone %{x:.2f} % of variance<br>most in %{text}",
    )  # fmt: skip
    rule(figure, palette.line, y=0.8, dash="dot")
    style(
        figure, palette, height=320, x=VARIANCE_ALONE,
        y={"title": "agreement of runs", "range": [min(0.0, agreement.min()), 1.04]},
    )  # fmt: skip
    steady = int((agreement >= 0.8).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"{steady} of {len(table)} networks agree between runs at 0.8 or more; alone they "
            f"explain between {100 * variance.min():.2f} % and {100 * variance.max():.2f} % of "
            "the variance."
        ),
        table=table[["network", "run_agreement", "variance_alone", "variance_left_out"]],
    )


#: The axis of the variance that each network explains by itself.
VARIANCE_ALONE = {"title": "% of variance it explains alone", "rangemode": "tozero"}


def network_points(
    table: pd.DataFrame,
    column: str,
    *,
    selected: int | None,
    palette: Palette,
    named_by: str,
    hover: str,
) -> go.Figure:
    """Draw a column against the variance of each network alone; the selected one stands out."""
    is_selected = (table["network"] == selected).to_numpy()
    return points(
        go.Figure(), table["variance_alone"] * 100, table[column],
        colour=[palette.accent if s else rgba(palette.quiet, 0.75) for s in is_selected],
        size=np.where(is_selected, 15, 9), marker={"line": {"color": palette.canvas, "width": 1}},
        customdata=table["network"], text=[safe(str(name)) for name in table[named_by]],
        selected={"marker": {"color": palette.accent}}, unselected={"marker": {"opacity": 0.8}},
        hover=f"network %{{customdata}}<br>{hover}",
    )  # fmt: skip


def variance_bars(table: pd.DataFrame, *, palette: Palette) -> Picture:
    """Draw the variance each network explains alone, and what is lost when it is left out."""
    sorted_table = table.sort_values("variance_alone", ascending=False)
    figure = go.Figure()
    names = [str(network) for network in sorted_table["network"]]
    for column, name, colour in (
        ("variance_alone", "alone", rgba(palette.quiet, 0.55)),
        ("variance_left_out", "lost when left out", palette.accent),
    ):
        bars(
            figure, names, sorted_table[column] * 100, colour=colour, name=name,
            hover=f"network %{{x}}: %{{y:.2f}} % {name}",
        )  # fmt: skip
    style(
        figure, palette, height=260, legend=True, barmode="overlay", bargap=0.15,
        x={"title": "network, by variance", "type": "category", "nticks": 20}, y="% of variance",
    )  # fmt: skip
    largest = sorted_table.iloc[0]
    return Picture(
        figure=figure,
        alternative=(
            f"Network {largest['network']} explains most variance alone, "
            f"{100 * largest['variance_alone']:.2f} %; shares do not add up, for networks overlap "
            "in time."
        ),
        table=sorted_table[["network", "variance_alone", "variance_left_out"]],
    )
