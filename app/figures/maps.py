"""Parts of a map by layers: its colour bar, its depth profile, the unit in a column."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.marks import bars, colour_bar, ticks
from app.figures.raster import group_columns
from app.figures.theme import Palette


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
