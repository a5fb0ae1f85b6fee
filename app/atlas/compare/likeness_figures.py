"""Pictures of how alike two atlases are: all correlations, and likeness to chance."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.figures.marks import bars, cells, line, rule, ticks
from app.figures.theme import Palette, greys, rgba


def matrix_order(
    similarity: NDArray[np.floating], pairs: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of rows and columns that puts pairs on the diagonal, strongest first."""
    strength = np.abs(similarity[pairs[:, 0], pairs[:, 1]])
    sorted_pairs = pairs[np.argsort(-strength, kind="stable")]
    unpaired = [
        np.setdiff1d(np.arange(n), sorted_pairs[:, side]) for side, n in enumerate(similarity.shape)
    ]
    return (
        np.concatenate([sorted_pairs[:, 0], unpaired[0]]).astype(np.int64),
        np.concatenate([sorted_pairs[:, 1], unpaired[1]]).astype(np.int64),
    )


def similarity_matrix(
    similarity: NDArray[np.floating],
    pairs: NDArray[np.integer],
    *,
    selected: int,
    by: str,
    palette: Palette,
) -> Picture:
    """Draw |r| of every network of this atlas with every one of the other, pairs on the diagonal.

    Parameters
    ----------
    similarity : ndarray (K, K of the other)
        Signed r.
    selected : int
        The network of this atlas whose row is marked.
    """
    rows, columns = matrix_order(similarity, pairs)
    magnitude = np.abs(similarity[np.ix_(rows, columns)]).astype(np.float32)
    figure = cells(
        go.Figure(), magnitude, span=(0, 1), scale=greys(palette),
        customdata=np.dstack(np.meshgrid(columns, rows)[::-1]).astype(np.int16),
        colorbar={
            "thickness": 8, "outlinewidth": 0, "tickvals": [0, 0.5, 1], "tickfont": {"size": 12},
            "title": {"text": "|r|", "font": {"size": 12}},
        },
        hover="network %{customdata[0]} and %{customdata[1]} of the other<br>|r| %{z:.2f}",
    )  # fmt: skip
    x, y = (_numbers(order) for order in (columns, rows))
    style(
        figure, palette, height=int(min(720, max(320, 120 + 9 * len(rows)))),
        x={"title": "network of the other atlas", **x},
        y={"title": "network of this atlas", "autorange": "reversed", **y},
    )  # fmt: skip
    place = int(np.flatnonzero(rows == selected)[0])
    figure.add_shape(
        type="rect", x0=-0.5, x1=len(columns) - 0.5, y0=place - 0.5, y1=place + 0.5,
        line={"color": palette.accent, "width": 2},
    )  # fmt: skip
    pair_strength = np.abs(similarity[pairs[:, 0], pairs[:, 1]])
    other_strength = np.abs(similarity).sum() - pair_strength.sum()
    n_others = similarity.size - len(pairs)
    others_text = (
        f"all others have a mean of {other_strength / n_others:.2f}"
        if n_others
        else "there are no others"
    )
    return Picture(
        figure=figure,
        alternative=(
            f"Correlation |r| by {by} of {len(rows)} networks of this atlas with {len(columns)} of "
            f"the other: the {len(pairs)} pairs on the diagonal have a mean of "
            f"{pair_strength.mean():.2f}, {others_text}."
        ),
        table=pd.DataFrame(
            {
                "network": np.repeat(np.arange(len(rows)), len(columns)),
                "other": np.tile(np.arange(len(columns)), len(rows)),
                "r": similarity.ravel().round(4),
            }
        ),
    )


def _numbers(order: NDArray[np.integer]) -> dict[str, Any]:
    """Return an axis with the number of every few networks."""
    places = range(0, len(order), max(1, -(-len(order) // 16)))
    return ticks([str(order[i]) for i in places], places, showgrid=False)


def r_histogram(r: NDArray[np.floating], *, threshold: float, by: str, palette: Palette) -> Picture:
    """Draw how many pairs have which |r|; pairs of the same network are in the accent colour."""
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(np.abs(r), edges)
    centres = (edges[:-1] + edges[1:]) / 2
    is_same = edges[:-1] >= threshold - 1e-9
    figure = bars(
        go.Figure(), centres, counts, width=0.045,
        colour=[palette.accent if s else rgba(palette.quiet, 0.6) for s in is_same],
        hover="|r| about %{x:.2f}: %{y} pairs",
    )  # fmt: skip
    style(
        figure, palette, height=240, x={"title": f"|r| by {by}", "range": [0, 1.01]},
        y={"title": "pairs", "nticks": 4},
    )  # fmt: skip
    font = {"size": 12, "color": palette.text}
    label = {"text": f"{threshold:g}", "font": font, "yanchor": "top"}
    rule(figure, palette.text, x=threshold, dash="dot", annotation=label)
    n_same = int((np.abs(r) >= threshold).sum())
    return Picture(
        figure=figure,
        alternative=(
            f"{n_same} of {len(r)} pairs have |r| of at least {threshold:g}; the median is "
            f"{np.median(np.abs(r)):.2f}, the weakest {np.abs(r).min():.2f}."
        ),
        table=pd.DataFrame(
            {"|r| from": edges[:-1].round(2), "to": edges[1:].round(2), "pairs": counts}
        ),
    )


def likeness_chart(
    rho: NDArray[np.floating],
    null: NDArray[np.floating],
    *,
    chance_rho: float,
    mark: float,
    palette: Palette,
) -> Picture:
    """Draw the pairs' |ρ| within texts, strongest first, with what chance gives.

    Parameters
    ----------
    rho : ndarray (n,)
        Mean ρ of each pair.
    null : ndarray (n_null,)
        Mean |ρ| of the pairs in each draw of the null.
    chance_rho : float
        Largest |ρ| of any pair by chance (95 %).
    mark : float
        The |ρ| that the published fingerprint counts from.
    """
    sorted_rho = np.sort(np.abs(rho))[::-1]
    ranks = np.arange(1, len(sorted_rho) + 1)
    figure = line(
        go.Figure(), ranks, sorted_rho, colour=palette.accent, width=1.5, mode="lines+markers",
        marker={"color": palette.accent, "size": 5},
        hover="%{x} pairs have |ρ| of %{y:.2f} or more",
    )  # fmt: skip
    style(
        figure, palette, height=300,
        x={"title": "pairs, most alike first", "rangemode": "tozero"},
        y={"title": "mean |ρ| within texts", "range": [0, 1.02]},
    )  # fmt: skip
    score = float(sorted_rho.mean())
    low, high = (float(np.quantile(null, q)) for q in (0.025, 0.975))
    font = {"size": 12, "color": palette.quiet}
    for y, text in (
        (mark, f"{mark:g}, the published mark"),
        (chance_rho, f"{chance_rho:.2f}, the most that chance gives any pair"),
    ):
        label = {"text": text, "font": font, "xanchor": "right", "yanchor": "bottom"}
        rule(figure, palette.quiet, y=y, dash="dot", annotation=label)
    return Picture(
        figure=figure,
        alternative=(
            f"Pairs agree within texts at a mean |ρ| of {score:.2f}, by chance at {low:.3f} to "
            f"{high:.3f}; {int((sorted_rho > chance_rho).sum())} of {len(sorted_rho)} pairs are "
            f"above chance, {int((sorted_rho > mark).sum())} above {mark:g}."
        ),
        table=pd.DataFrame({"pair, most alike first": ranks, "|ρ|": sorted_rho.round(4)}),
    )
