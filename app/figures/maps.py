"""Maps and parcellations by layers × units: their colour bar, depth profile, and units."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from app.figures.base import Picture, safe, style
from app.figures.distinct import parcel_scale
from app.figures.marks import bars, cells, colour_bar, line, note, ticks
from app.figures.raster import bin_starts, group_columns, pool_columns
from app.figures.theme import Palette, diverging_scale


def threshold_bar(threshold: float, limit: float) -> dict[str, Any]:
    """Return a colour bar below a picture that tells the threshold and both limits."""
    texts = [f"−{limit:.3g}", f"−{threshold:g}", f"{threshold:g}", f"z {limit:.3g}"]
    places = [-limit, -threshold, threshold, limit]
    return colour_bar(lenmode="fraction", tickfont={"size": 12}, **ticks(texts, places))


def add_profile(
    figure: go.Figure,
    profile: NDArray[np.floating],
    palette: Palette,
    *,
    row: int,
    col: int,
) -> None:
    """Draw the share of each layer's units beyond the threshold as bars, layers upwards."""
    percent = profile * 100
    bars(
        figure, percent, np.arange(len(profile)), colour=palette.quiet, orientation="h",
        hover="layer %{y}: %{x:.2f} % of its units", showlegend=False, row=row, col=col,
    )  # fmt: skip
    top = max(float(percent.max()), 0.1)
    figure.update_xaxes(
        title_text="% of layer", range=[0, top * 1.05], row=row, col=col,
        **ticks(["0", f"{top:.1f}"], [0, top]),
    )  # fmt: skip
    figure.update_yaxes(
        showgrid=False, range=[-0.5, len(profile) - 0.5], nticks=5, row=row, col=col
    )


def unit_at(
    values: NDArray[np.floating],
    labels: NDArray[np.integer] | None,
    layer: int,
    column: int,
    *,
    n_columns: int,
) -> int | None:
    """Return the index of the strongest unit in a column of `network_map`, or None beyond a layer.

    Parameters
    ----------
    values, labels : ndarray (n_layers, width)
        As the map was drawn with them.
    column : int
        First of the units that the column pools.
    """
    row = values[layer : layer + 1]
    index = np.where(np.isnan(row), np.nan, np.arange(row.shape[1]))
    if labels is not None:
        order = labels[layer : layer + 1]
        row, index = group_columns(row, order), group_columns(index, order)
    step = max(1, -(-row.shape[1] // n_columns))
    columns_of_bin = slice(column, column + step)
    units = index[0, columns_of_bin]
    if not np.isfinite(units).any():
        return None
    return int(
        units[int(np.where(np.isfinite(units), np.abs(row[0, columns_of_bin]), -1.0).argmax())]
    )


MAP_COLUMNS = 768
#: Experts that have room for their number above a map.
_MOST_NAMED = 16


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


def add_experts(figure: go.Figure, experts: Sequence[Sequence[int]], palette: Palette) -> None:
    """Draw borders between the experts on a map by index, numbered at the top where there is room.

    Parameters
    ----------
    experts : sequence of sequence of int
        Units of each expert of each layer.
    """
    x: list[float | None] = []
    y: list[float | None] = []
    for layer, sizes in enumerate(experts):
        for end in np.cumsum(sizes)[:-1].tolist():
            x += [end - 0.5, end - 0.5, None]
            y += [layer - 0.5, layer + 0.5, None]
    line(figure, x, y, colour=palette.quiet, width=1, showlegend=False, row=1, col=1)
    most = max(experts, key=len)
    if 1 < len(most) <= _MOST_NAMED:
        ends = np.cumsum(most)
        for expert, (end, size) in enumerate(zip(ends.tolist(), most, strict=True)):
            note(
                figure, str(expert), end - (size + 1) / 2, len(experts) - 0.5, size=11,
                colour=palette.quiet, yanchor="bottom", row=1, col=1,
            )  # fmt: skip
    figure.update_xaxes(title_text="units, expert after expert", row=1, col=1)


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
