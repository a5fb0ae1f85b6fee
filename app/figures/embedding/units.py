"""Pictures of embeddings: units and networks as points in a plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures import marks
from app.figures.base import Picture, safe, style
from app.figures.distinct import parcel_scale, qualitative
from app.figures.markup import signed
from app.figures.theme import Palette

NO_NETWORK, NO_DOMAIN = "no network", "no domain"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitPoints:
    """Placed units, with layer, index, network and z of each.

    Parameters
    ----------
    places : ndarray (n, 2)
    layer, index : ndarray (n,)
    network : ndarray (n,)
        Strongest of the networks that a unit belongs to, −1 where it belongs to none.
    z : ndarray (n,)
        Signed z in that network; of units in none, in the strongest of all.
    """

    places: NDArray[np.float32]
    layer: NDArray[np.integer]
    index: NDArray[np.integer]
    network: NDArray[np.integer]
    z: NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """Colouring of units: by ``network``, ``layer`` or ``domain``.

    Parameters
    ----------
    names : sequence of str
        Of the networks.
    domains : sequence of str
        Of the domains.
    domain_of : sequence of int
        Each network's strongest domain.
    """

    by: str
    names: Sequence[str]
    domains: Sequence[str] = ()
    domain_of: Sequence[int] = ()


def units_map(
    points: UnitPoints, *, colouring: Colouring, selected: int, rule: str, palette: Palette
) -> Picture:
    """Draw units as points; those of the selected network stand out.

    The first traces hold all units, in the order of `points` with their row as customdata; the
    last marks the selected network's; without customdata, so that a lasso counts no unit twice,
    but drawn back with the others outside one.

    Parameters
    ----------
    rule : str
        Which units count as a network's own, in words.
    """
    figure = go.Figure()
    for trace in _unit_traces(points, colouring, palette):
        figure.add_trace(trace)
    is_of_selected = points.network == selected
    marks.points(
        figure, *points.places[is_of_selected].T, colour=palette.accent, size=7, kind="scattergl",
        marker={"line": {"color": palette.canvas, "width": 0.8}}, name=f"network {selected}",
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.15}},
        showlegend=False,
    )  # fmt: skip
    _add_numbers(figure, points, selected=selected, palette=palette)
    frame_places(
        figure, palette, points.places, height=640, legend=colouring.by == "domain",
        dragmode="lasso", newselection={"line": {"color": palette.accent}},
    )  # fmt: skip
    n, n_members = len(points.network), int((points.network >= 0).sum())
    sizes = np.bincount(points.network[points.network >= 0], minlength=len(colouring.names))
    return Picture(
        figure=figure,
        alternative=(
            f"t-SNE of {n:,} units, coloured by {colouring.by}: {n_members:,} belong to a network "
            f"({rule}); {int(is_of_selected.sum()):,} of them, drawn on top, to "
            f"network {selected}. Only near neighbours mean something, not gaps between groups."
        ),
        table=pd.DataFrame(
            {
                "network": np.arange(len(colouring.names)),
                "name": list(colouring.names),
                "units shown": sizes,
                "centre x": _centres(points, len(sizes))[:, 0],
                "centre y": _centres(points, len(sizes))[:, 1],
            }
        ),
    )


def _add_numbers(figure: go.Figure, points: UnitPoints, *, selected: int, palette: Palette) -> None:
    """Write each network's number where most of its units of positive z lie.

    As annotations: text of a trace would lie beneath the points, which WebGL draws on top.
    """
    numbers = []
    for network in range(int(points.network.max(initial=-1)) + 1):
        is_of_network = (points.network == network) & (points.z > 0)
        if is_of_network.sum() < 3:
            continue
        x, y = np.median(points.places[is_of_network], axis=0).tolist()
        numbers.append(
            {
                "x": x,
                "y": y,
                "text": f"<b>{network}</b>" if network == selected else str(network),
                "showarrow": False,
                "yshift": 13,
                "font": {
                    "size": 15 if network == selected else 11,
                    "color": palette.text,
                    "shadow": f"0 0 3px {palette.canvas}, 0 0 3px {palette.canvas}",
                },
            }
        )
    figure.update_layout(
        annotations=numbers
    )  # all at once: plotly checks all of them whenever one is added


def _centres(points: UnitPoints, n_networks: int) -> NDArray[np.float64]:
    """Return the median place of each network's units, NaN where it has none: (K, 2)."""
    groups = [points.places[points.network == k] for k in range(n_networks)]
    return np.array([np.median(g, axis=0).round(2) if len(g) else (np.nan, np.nan) for g in groups])


def _unit_traces(points: UnitPoints, colouring: Colouring, palette: Palette) -> list[go.Scattergl]:
    """Return the traces of all units: one, or one a domain for the legend's sake."""
    rows = np.arange(len(points.network), dtype=np.int32)
    if colouring.by == "layer":
        steps = [palette.series[i] for i in (3, 2, 0, 5)]  # violet, blue, green, yellow
        marker = {
            "color": points.layer.astype(np.int16),
            "colorscale": [(i / 3, colour) for i, colour in enumerate(steps)],
            "colorbar": {
                "title": {"text": "layer", "font": {"size": 13}},
                "thickness": 8,
                "outlinewidth": 0,
                "len": 0.5,
            },
        }
        return [_point_trace(points, rows, marker, colouring)]
    if colouring.by == "network":
        marker = {
            "color": points.network.astype(np.int16),
            "colorscale": _parcel_stops(palette, len(colouring.names)),
            "cmin": -1.5,
            "cmax": len(colouring.names) - 0.5,
        }
        return [_point_trace(points, rows, marker, colouring)]
    domain = np.append(colouring.domain_of, -1).astype(int)[points.network]
    colours = qualitative(len(colouring.domains))
    groups = [(-1, NO_DOMAIN, palette.line)]
    groups += list(zip(range(len(colouring.domains)), colouring.domains, colours, strict=True))
    return [
        _point_trace(
            points,
            rows[domain == d],
            {"color": colour},
            colouring,
            name=safe(name),
        )
        for d, name, colour in groups
        if (domain == d).any()
    ]


def _parcel_stops(palette: Palette, n_networks: int) -> list[tuple[float, str]]:
    """Return the networks' colours; units of none are drawn fainter than any, but are seen."""
    (low, _), (high, _), *network_stops = parcel_scale(palette, n_networks)
    return [(low, palette.line), (high, palette.line), *network_stops]


def _point_trace(
    points: UnitPoints,
    rows: NDArray[np.int32],
    marker: Mapping[str, Any],
    colouring: Colouring,
    *,
    name: str = "units",
) -> go.Scattergl:
    names = [
        *(f"{k} · {safe(n)}" for k, n in enumerate(colouring.names)),
        NO_NETWORK,
    ]
    hover_texts = [
        f"layer {layer}, unit {index}<br>{names[k]}, z {signed(z, '.1f')}"
        for layer, index, k, z in zip(
            points.layer[rows].tolist(),
            points.index[rows].tolist(),
            points.network[rows].tolist(),
            points.z[rows].tolist(),
            strict=True,
        )
    ]
    return go.Scattergl(
        x=points.places[rows, 0],
        y=points.places[rows, 1],
        mode="markers",
        customdata=rows,
        text=hover_texts,
        name=name,
        marker={"size": 4.5, "opacity": 0.85, "line": {"width": 0}, **marker},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.12}},
        hovertemplate="%{text}<extra></extra>",
    )


def frame_places(
    figure: go.Figure, palette: Palette, places: NDArray[np.floating], **layout: Any
) -> None:
    """Give a figure bare axes that frame all places."""
    low, high = places.min(axis=0), places.max(axis=0)
    pad = np.maximum(0.04 * (high - low), 0.1)
    bare = {"showgrid": False, "showticklabels": False, "ticks": "", "mirror": True, "linewidth": 1}
    x, y = (bare | {"range": span} for span in np.stack([low - pad, high + pad], axis=1).tolist())
    style(figure, palette, x=x, y=y, margin={"l": 4, "b": 4}, **layout)
