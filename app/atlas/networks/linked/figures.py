"""The scatter of networks: any two statistics, each network in its own colour."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import UNCHANGED, points
from app.figures.theme import Palette


def network_scatter(
    table: pd.DataFrame,
    *,
    axes: tuple[tuple[str, str], tuple[str, str]],
    colours: Sequence[str],
    selected: int,
    ringed: Sequence[int],
    palette: Palette,
) -> Picture:
    """Draw networks by two statistics.

    Parameters
    ----------
    table : DataFrame
        One row per network: ``network``, ``name`` and the two statistics.
    axes : tuple of (column, title)
        Of x and y.
    colours : sequence of str
        Of each network.
    selected : int
        The network that is marked.
    ringed : sequence of int
        Networks with a ring: those that are strongest at the picked token.
    """
    (x_column, x_title), (y_column, y_title) = axes
    numbers = table["network"].to_numpy()
    x, y = (table[column].to_numpy(dtype=np.float64) for column in (x_column, y_column))
    is_selected, is_ringed = numbers == selected, np.isin(numbers, list(ringed))
    order = np.argsort(is_selected, kind="stable")  # the selected one lies on top
    stands_out = (is_selected | is_ringed)[order]
    figure = points(
        go.Figure(), x[order], y[order], colour=[colours[k] for k in numbers[order].tolist()],
        size=np.where(is_selected, 17, 10)[order],
        marker={
            "line": {
                "color": np.where(stands_out, palette.text, palette.canvas).tolist(),
                "width": np.where(stands_out, 2, 1),
            }
        },
        customdata=numbers[order].tolist(), text=[safe(str(table["name"].iloc[i])) for i in order],
        hover=f"%{{customdata}} · %{{text}}<br>{x_title} %{{x:.3g}}<br>{y_title} %{{y:.3g}}",
        **UNCHANGED,
    )  # fmt: skip
    style(figure, palette, height=250, x=x_title, y=y_title, clickmode="event+select")
    row = int(np.flatnonzero(is_selected)[0])
    rank_x, rank_y = (1 + int((v > v[row]).sum()) for v in (x, y))
    return Picture(
        figure=figure,
        alternative=(
            f"{len(table)} networks by {x_title} and {y_title}. Network {selected} is number "
            f"{rank_x} by the first ({x[row]:.3g}) and number {rank_y} by the second "
            f"({y[row]:.3g})."
        ),
        table=table[list(dict.fromkeys(["network", "name", x_column, y_column]))],
    )
