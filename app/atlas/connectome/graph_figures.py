"""Pictures of networks as nodes: the graph of the strongest pairs, and the tree of groups."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from app.figures.base import Picture, safe, style
from app.figures.distinct import linear_rgb, qualitative
from app.figures.marks import UNCHANGED, line, points, small, ticks
from app.figures.matrix import Measure, hover_name
from app.figures.theme import Palette, rgba

_WIDTHS = (1.0, 2.0, 3.5)
# Least distance of two nodes as a share of the picture: a node and its number
_GAP = 0.07


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nodes:
    """Nodes of a graph of networks: their places, sizes, and classes.

    Parameters
    ----------
    places : ndarray (K, 2)
    size : ndarray (K,)
        Drawn as area.
    class_of : tuple of int
    classes : tuple of str
        Names of the classes.
    names : tuple of str
        Of the networks.
    """

    places: NDArray[np.floating]
    size: NDArray[np.floating]
    class_of: tuple[int, ...]
    classes: tuple[str, ...]
    names: tuple[str, ...]


def graph(
    values: NDArray[np.floating],
    edges: NDArray[np.integer],
    nodes: Nodes,
    *,
    measure: Measure,
    selected: int,
    palette: Palette,
    height: int = 640,
) -> Picture:
    """Draw networks as nodes and the strongest pairs as edges; a node's customdata is its number.

    Warm edges are positive, cold and dotted ones negative; wider ones are stronger.
    """
    figure = go.Figure()
    places = spaced(nodes.places)
    strength = np.abs(values[edges[:, 0], edges[:, 1]])
    tertiles = np.quantile(strength, [1 / 3, 2 / 3])
    width = np.searchsorted(tertiles, strength)
    at_selected = (edges == selected).any(axis=1)
    is_positive = values[edges[:, 0], edges[:, 1]] >= 0
    for is_near, is_warm, step in itertools.product((False, True), (True, False), range(3)):
        is_drawn = (at_selected == is_near) & (is_positive == is_warm) & (width == step)
        colour = (palette.hot if is_warm else palette.cold)[1]
        if is_drawn.any():
            line(
                figure, *_arcs(places, edges[is_drawn]), width=_WIDTHS[step] + 0.7 * is_near,
                colour=rgba(colour, 0.95 if is_near else 0.5), showlegend=False,
                line={"dash": "solid" if is_warm else "dot"},
            )  # fmt: skip
    degree = np.bincount(edges.ravel(), minlength=len(values))
    _add_nodes(figure, replace(nodes, places=places), degree, selected, palette)
    hidden = {"visible": False}
    style(
        figure, palette, height=height, margin={"l": 4, "b": 4}, x=hidden, y=hidden,
        legend=len(nodes.classes) > 1,
    )  # fmt: skip
    figure.update_layout(legend={"itemsizing": "constant"})
    return Picture(
        figure=figure,
        alternative=in_words(values, edges, nodes.names, measure, where="as a graph"),
        table=edge_table(values, edges, nodes.names, measure),
    )


def in_words(
    values: NDArray[np.floating],
    edges: NDArray[np.integer],
    names: Sequence[str],
    measure: Measure,
    *,
    where: str,
) -> str:
    """Return what a picture of pairs shows: how many, how strong, and who has most of them."""
    strength = values[edges[:, 0], edges[:, 1]]
    degree = np.bincount(edges.ravel(), minlength=len(values))
    hub = int(degree.argmax())
    return (
        f"{len(values)} networks {where} with the {len(edges)} strongest pairs, |{measure.says}| "
        f"from {np.abs(strength).min():.2f} to {np.abs(strength).max():.2f}, "
        f"{int((strength < 0).sum())} of them negative; network {hub} ({names[hub]}) has most of "
        f"them, {degree[hub]}; {int((degree == 0).sum())} networks have none."
    )


def edge_table(
    values: NDArray[np.floating],
    edges: NDArray[np.integer],
    names: Sequence[str],
    measure: Measure,
) -> pd.DataFrame:
    """Return one row per drawn pair: both networks, their names, and the measure."""
    first, other = edges.T
    return pd.DataFrame(
        {
            "network": first,
            "name": [names[k] for k in first],
            "other": other,
            "name of the other": [names[k] for k in other],
            measure.title: values[first, other].round(4),
        }
    )


def spaced(places: NDArray[np.floating], *, gap: float = _GAP) -> NDArray[np.float64]:
    """Return places in the unit square, those nearer than `gap` pushed apart in small steps.

    A dense group keeps its form and only grows; `gap` is less where there is no room for it.
    """
    low, extent = places.min(axis=0), np.ptp(places, axis=0)
    positions = (places - low) / np.maximum(extent, 1e-12)
    gap = min(gap, 0.7 / np.sqrt(len(positions)))
    for _ in range(200):
        offsets = positions[:, None] - positions[None, :]
        distance = np.linalg.norm(offsets, axis=-1)
        np.fill_diagonal(distance, np.inf)
        if distance.min() >= 0.98 * gap:
            break
        # coinciding nodes part along directions of their own, the same each time
        angle = np.arange(len(positions)) * 2.4
        directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        offsets = np.where(
            distance[..., None] < 1e-9, directions[:, None] - directions[None, :], offsets
        )
        unit = offsets / np.maximum(np.linalg.norm(offsets, axis=-1, keepdims=True), 1e-12)
        short = np.maximum(gap - distance, 0.0)
        positions = (positions + 0.2 * (short[..., None] * unit).sum(axis=1)).clip(0, 1)
    return np.asarray(positions, dtype=np.float64)


def _arcs(places: NDArray[np.floating], edges: NDArray[np.integer]) -> NDArray[np.floating]:
    """Return edges as shallow arcs (x, y), so that none hides behind nodes in one line with it."""
    start, end = places[edges[:, 0]], places[edges[:, 1]]
    t = np.linspace(0, 1, 9)[None, :, None]
    normals = np.stack([start[:, 1] - end[:, 1], end[:, 0] - start[:, 0]], axis=1)[:, None]
    arcs = start[:, None] * (1 - t) + end[:, None] * t + 0.4 * t * (1 - t) * normals
    split_arcs = np.concatenate([arcs, np.full((len(edges), 1, 2), np.nan)], axis=1)
    return np.asarray(split_arcs.reshape(-1, 2).T)


def _add_nodes(
    figure: go.Figure,
    nodes: Nodes,
    degree: NDArray[np.integer],
    selected: int,
    palette: Palette,
) -> None:
    colours = qualitative(len(nodes.classes))
    class_of = np.array(nodes.class_of)
    size = np.sqrt(nodes.size / max(float(nodes.size.max()), 1e-12)) * 15 + 17
    is_selected = np.arange(len(class_of)) == selected
    for number, (name, colour) in enumerate(zip(nodes.classes, colours, strict=True)):
        members = np.flatnonzero(class_of == number)
        if not len(members):
            continue
        points(
            figure, *nodes.places[members].T, colour=colour, size=size[members], name=safe(name),
            customdata=members,
            hovertext=[
                f"{hover_name(nodes.names, int(k), longest=60)}<br>{safe(name)}, {degree[k]} edges"
                for k in members
            ],
            hover="%{hovertext}",
            marker={"opacity": 1.0, "line": _ring(is_selected[members], palette)}, **UNCHANGED,
        )  # fmt: skip
    figure.add_scatter(  # numbers last, so that no node lies on another's
        x=small(nodes.places[:, 0]),
        y=small(nodes.places[:, 1]),
        mode="text",
        text=[str(k) for k in range(len(class_of))],
        textposition="middle center",
        textfont={"size": 10, "color": [_number_colour(colours[c]) for c in nodes.class_of]},
        hoverinfo="skip",
        showlegend=False,
    )


def _ring(is_selected: NDArray[np.bool_], palette: Palette) -> dict[str, Any]:
    """Return the outlines of nodes, a bold one for the selected."""
    return {
        "color": np.where(is_selected, palette.text, palette.canvas).tolist(),
        "width": np.where(is_selected, 3, 1),
    }


def _number_colour(colour: str) -> str:
    """Return the colour of a number on a node: black or white, whichever stands out more."""
    return "#000000" if linear_rgb([colour])[0] @ (0.2126, 0.7152, 0.0722) > 0.18 else "#ffffff"


def tree(
    links: NDArray[np.floating],
    class_of: Sequence[int],
    *,
    names: Sequence[str],
    selected: int,
    palette: Palette,
) -> Picture:
    """Draw the tree of a hierarchical clustering, groups in their colours; leaves are networks.

    Parameters
    ----------
    links : ndarray (K − 1, 4)
        As scipy's `linkage` makes it.
    class_of : sequence of int
        Group of each network.
    """
    branches = dendrogram(links, no_plot=True)
    leaves = np.array(branches["leaves"])
    groups = np.array(class_of)
    colours = qualitative(int(groups.max()) + 1)
    figure = go.Figure()
    for x, y in zip(branches["icoord"], branches["dcoord"], strict=True):
        leaf_groups = groups[leaves[int(np.ceil((x[0] - 5) / 10)) : int((x[-1] - 5) // 10) + 1]]
        is_one = len(set(leaf_groups.tolist())) == 1
        line(figure, x, y, colour=colours[leaf_groups[0]] if is_one else palette.quiet, width=1.5)
    places = np.arange(len(leaves)) * 10 + 5
    points(
        figure, places, np.zeros(len(leaves)), colour=[colours[k] for k in groups[leaves]],
        size=11, marker={"opacity": 1.0, "line": _ring(leaves == selected, palette)},
        customdata=leaves, hover="%{hovertext}",
        hovertext=[f"{hover_name(names, int(k), longest=60)}<br>group {groups[k]}" for k in leaves],
        **UNCHANGED,
    )  # fmt: skip
    numbers = ticks([str(k) for k in leaves], places, tickfont={"size": 10})
    turn = 0 if len(leaves) <= 40 else -90
    style(
        figure, palette, height=300, margin={"b": 34}, y={"title": "distance", "nticks": 4},
        x={"tickangle": turn, "showline": False, "ticks": "", **numbers},
    )  # fmt: skip
    sizes = np.bincount(groups)
    return Picture(
        figure=figure,
        alternative=(
            f"Tree of {len(leaves)} networks in {len(sizes)} groups of {sizes.min()} to "
            f"{sizes.max()}; networks that join lower are more alike."
        ),
        table=pd.DataFrame(
            {
                "network": leaves,
                "name": [names[k] for k in leaves],
                "group": groups[leaves],
            }
        ),
    )
