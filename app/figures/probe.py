"""Pictures of a text in the probe: networks over its tokens."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, style
from app.markup import visible
from app.theme import Palette, diverging_scale

LIMIT = 6.0
MOST_ROWS = 64
_MOST_TICKS = 24


def networks_over_tokens(
    relative: NDArray[np.floating],
    pieces: Sequence[str],
    *,
    names: Sequence[str],
    is_dummy: NDArray[np.bool_],
    selected: int,
    palette: Palette,
) -> Picture:
    """Draw networks (rows, most energy on top) over the tokens of a text (columns).

    Beyond `MOST_ROWS` networks, those with the least energy are left out of the drawing.

    Parameters
    ----------
    relative : ndarray (K, n_tokens)
        Strengths as multiples of each network's root mean square over the recording.
    names : sequence of str (K,)
        What the networks are called.
    is_dummy : ndarray (n_tokens,)
        Tokens that are left out and stay blank.
    selected : int
        The network whose name is set in bold.
    """
    energy = np.square(relative[:, ~is_dummy]).mean(axis=1)
    ranked = np.argsort(-energy, kind="stable")
    shown = ranked[:MOST_ROWS][::-1]
    z = np.where(is_dummy, 0, relative[shown]).astype(np.float32).round(2)
    texts = [visible(piece).replace("\n", "↵") for piece in pieces]
    figure = go.Figure(
        go.Heatmap(
            z=z,
            zmin=-LIMIT,
            zmax=LIMIT,
            colorscale=diverging_scale(palette, threshold=0.5, limit=LIMIT),
            showscale=False,
            x=[f"{i}: “{html.escape(text, quote=False)}”" for i, text in enumerate(texts)],
            y=[_row(int(k), names[k], is_selected=k == selected) for k in shown],
            hovertemplate="network %{y}<br>token %{x}<br>%{z:.1f}× its usual<extra></extra>",
        )
    )
    for first, last in _runs(is_dummy):
        figure.add_vrect(x0=first - 0.5, x1=last + 0.5, fillcolor=palette.canvas, line_width=0)
    style(figure, palette, height=70 + 13 * len(shown), left=110, bottom=40)
    words = len(texts) <= _MOST_TICKS  # else numbers, few enough for a narrow screen
    every = 1 if words else -(-len(texts) // 10)
    figure.update_xaxes(
        type="category",
        tickvals=list(range(0, len(texts), every)),
        ticktext=[html.escape(text.strip()[:12], quote=False) or "␣" for text in texts[::every]]
        if words
        else [str(i) for i in range(0, len(texts), every)],
        tickangle=-60 if words else 0,
        tickfont={"size": 11},
    )
    figure.update_yaxes(type="category", showgrid=False, ticks="", tickfont={"size": 10})
    first, last = ranked[0], ranked[-1]
    usable = np.abs(np.where(is_dummy, 0, relative[ranked]))
    return Picture(
        figure=figure,
        alternative=(
            f"{len(shown)} networks over {len(texts)} tokens, most energy on top: network "
            f"{first}, {names[first]}, has {energy[first]:.1f} times its mean energy in the "
            f"recording, network {last} {energy[last]:.2f} times."
        ),
        table=pd.DataFrame(
            {
                "network": ranked,
                "name": [names[k] for k in ranked],
                "energy over that in the recording": energy[ranked].round(3),
                "strongest token": [texts[i] for i in usable.argmax(axis=1)],
                "times its usual strength": usable.max(axis=1).round(2),
            }
        ),
    )


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _row(network: int, name: str, *, is_selected: bool) -> str:
    short = visible(name) if len(name) <= 20 else visible(name)[:19] + "…"
    text = f"{network} · {html.escape(short, quote=False)}"
    return f"<b>{text}</b>" if is_selected else text
