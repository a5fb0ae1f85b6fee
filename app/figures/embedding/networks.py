"""Networks as points in a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures import marks
from app.figures.base import Picture, safe
from app.figures.distinct import qualitative
from app.figures.embedding.units import frame_places
from app.figures.theme import Palette, rgba


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkPoints:
    """Placed networks.

    Parameters
    ----------
    places : ndarray (K, 2)
    names : sequence of str
    sizes : ndarray (K,)
        Units of each network.
    domain_of : sequence of int
        Each network's strongest domain, an index into `domains`.
    """

    places: NDArray[np.float32]
    names: Sequence[str]
    sizes: NDArray[np.integer]
    domain_of: Sequence[int]
    domains: Sequence[str]


def networks_map(points: NetworkPoints, *, selected: int, alike: str, palette: Palette) -> Picture:
    """Draw networks as numbered points, coloured by domain; `alike` names what brings them near."""
    figure = go.Figure()
    colours = qualitative(len(points.domains))
    domain = np.asarray(points.domain_of)
    size = 22 + 16 * np.sqrt(points.sizes / max(int(points.sizes.max()), 1))
    for d, name in enumerate(points.domains):
        rows = np.flatnonzero(domain == d)
        if not len(rows):
            continue
        is_selected = rows == selected
        ring = {
            "width": np.where(is_selected, 3.0, 1.0),
            "color": [palette.text if s else colours[d] for s in is_selected],
        }
        marks.points(
            figure, *points.places[rows].T, colour=[rgba(colours[d], 0.35)] * len(rows),
            size=size[rows], marker={"line": ring}, mode="markers+text",
            text=[str(k) for k in rows], textfont={"size": 12, "color": palette.text},
            customdata=rows, name=safe(name), hover="%{hovertext}",
            hovertext=[
                f"{k} · {safe(points.names[k])}<br>{int(points.sizes[k]):,} units"
                for k in rows.tolist()
            ],
            **marks.UNCHANGED,
        )  # fmt: skip
    frame_places(figure, palette, points.places, height=560, legend=True)
    figure.update_layout(legend_itemclick=False, legend_itemdoubleclick=False)
    distances = np.linalg.norm(points.places - points.places[selected], axis=1)
    nearest = np.argsort(distances)[1:4]
    nearest_text = ", ".join(str(k) for k in nearest)
    return Picture(
        figure=figure,
        alternative=(
            f"t-SNE of {len(points.names)} networks, near where {alike}: nearest to network "
            f"{selected} are {nearest_text}. Size tells the number of units, colour the domain in "
            "which a network has most energy."
        ),
        table=pd.DataFrame(
            {
                "network": np.arange(len(points.names)),
                "name": list(points.names),
                "x": points.places[:, 0].round(2),
                "y": points.places[:, 1].round(2),
                "units": points.sizes,
                "domain": [points.domains[d] for d in domain],
            }
        ),
    )
