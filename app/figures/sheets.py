"""Sheets of a cortex side by side, one a layer."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.theme import Palette

GAP = 2  # empty cells between slices


def mosaic(
    volume: NDArray[np.floating], n_across: int
) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """Return slices side by side, last layer on top, and the corner (x, y) of each layer."""
    n_layers, n_rows, n_columns = volume.shape
    n_down = -(-n_layers // n_across)
    height, width = n_down * (n_rows + GAP) - GAP, n_across * (n_columns + GAP) - GAP
    canvas = np.full((height, width), np.nan, dtype=np.float32)
    corners = []
    for layer in range(n_layers):
        sheet_row, sheet_column = divmod(layer, n_across)
        y, x = sheet_row * (n_rows + GAP), sheet_column * (n_columns + GAP)
        canvas[y : y + n_rows, x : x + n_columns] = volume[layer]
        corners.append((x, y))
    return canvas, corners


def number_sheets(
    figure: go.Figure, corners: Sequence[tuple[int, int]], n_rows: int, palette: Palette
) -> None:
    """Write each layer's number in the upper left of its sheet, on the page's own colour.

    All at once: plotly checks every annotation anew when one is added.
    """
    figure.update_layout(
        annotations=[
            {
                "x": x,
                "y": y + n_rows - 0.5,
                "text": str(layer),
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "top",
                "font": {"size": 11, "color": palette.text},
                "bgcolor": palette.canvas,
                "borderpad": 1,
            }
            for layer, (x, y) in enumerate(corners)
        ]
    )
