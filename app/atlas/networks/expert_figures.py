"""Experts as parcels of their layer, coloured by a network's units or by the tokens they saw."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import cells
from app.figures.theme import Palette


def expert_map(
    share: NDArray[np.floating], *, of: str, palette: Palette, table: pd.DataFrame
) -> Picture:
    """Draw a share of each expert by layer and expert, in per cent.

    Parameters
    ----------
    share : ndarray (n_layers, experts)
        NaN where a layer has no such expert.
    of : str
        Of what: "of its units", "of all tokens".
    """
    percent = 100 * share
    figure = cells(
        go.Figure(), percent, span=(0, float(np.nanmax(percent)) or 1.0), xgap=1, ygap=1,
        scale=[(0, palette.canvas), (0.5, palette.hot[0]), (1, palette.hot[-1])],
        colorbar={"title": {"text": "%"}, "thickness": 10},
        hover=f"layer %{{y}}, expert %{{x}}: %{{z:.2f}} % {of}",
    )  # fmt: skip
    style(
        figure, palette, height=min(160 + 14 * len(share), 520), y="layer",
        x={"title": "expert", "dtick": 1 if share.shape[1] <= 16 else None},
    )  # fmt: skip
    layer, expert = (int(i) for i in np.unravel_index(np.nanargmax(share), share.shape))
    low, low_expert = (int(i) for i in np.unravel_index(np.nanargmin(share), share.shape))
    return Picture(
        figure=figure,
        alternative=(
            f"Experts by layer, by the share {of}: most in layer {layer}, expert {expert}, with "
            f"{np.nanmax(percent):.1f} %; least in layer {low}, expert {low_expert}, with "
            f"{np.nanmin(percent):.1f} %."
        ),
        table=table,
    )
