"""The scatter of networks: any two statistics, each network in its own colour."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
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
        One row a network: ``network``, ``name`` and the two statistics.
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
    figure = go.Figure(
        go.Scatter(
            x=x[order].astype(np.float32),
            y=y[order].astype(np.float32),
            mode="markers",
            customdata=numbers[order].tolist(),
            text=[safe(str(table["name"].iloc[i])) for i in order],
            marker={
                "size": np.where(is_selected, 17, 10)[order],
                "color": [colours[int(numbers[i])] for i in order],
                "line": {
                    "color": [
                        palette.text if is_selected[i] or is_ringed[i] else palette.canvas
                        for i in order
                    ],
                    "width": np.where(is_selected | is_ringed, 2, 1)[order],
                },
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            hovertemplate=(
                f"%{{customdata}} · %{{text}}<br>{x_title} %{{x:.3g}}<br>{y_title} %{{y:.3g}}"
                "<extra></extra>"
            ),
        )
    )
    style(figure, palette, height=250)
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title)
    figure.update_layout(clickmode="event+select", dragmode=False)
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
