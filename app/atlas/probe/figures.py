"""Pictures of a text in the probe: networks over its tokens."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import cells, colour_bar, ticks
from app.figures.markup import short, visible
from app.figures.theme import Palette, diverging_scale

LIMIT = 6.0
MOST_ROWS = 64
_MOST_WORDS = 64


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
    shown_networks = ranked[:MOST_ROWS][::-1]
    z = np.where(is_dummy, 0, relative[shown_networks]).round(2)
    texts = [visible(piece).replace("\n", "↵") for piece in pieces]
    bar = ticks([f"−{LIMIT:g}×", "0", f"{LIMIT:g}× its usual"], [-LIMIT, 0, LIMIT])
    figure = cells(
        go.Figure(), z, span=(-LIMIT, LIMIT),
        scale=diverging_scale(palette, threshold=0.5, limit=LIMIT),
        colorbar=colour_bar(len=0.6, y=1.0, yanchor="top", tickfont={"size": 12}, **bar),
        x=[f"{i} {_token_label(text)}" for i, text in enumerate(texts)],
        y=[_row_label(int(k), names[k], is_selected=k == selected) for k in shown_networks],
        hover="network %{y}<br>token %{x}<br>%{z:.1f}× its usual",
    )  # fmt: skip
    for first, last in _runs(is_dummy):
        figure.add_vrect(x0=first - 0.5, x1=last + 0.5, fillcolor=palette.canvas, line_width=0)
    # Of words the browser shows as many as have room, at any width: no ticks are set.
    words = {"type": "category", "tickangle": -90, "tickfont": {"size": 11}}
    if len(texts) > _MOST_WORDS:
        places = range(0, len(texts), _round_step(len(texts)))
        words |= ticks([str(place) for place in places], places, tickangle=0)
    style(
        figure, palette, height=112 + 13 * len(shown_networks), x=words,
        margin={"l": 110, "t": 44, "b": 40},
        y={"type": "category", "showgrid": False, "ticks": "", "tickfont": {"size": 10}},
    )  # fmt: skip
    first, last = ranked[0], ranked[-1]
    usable = np.abs(np.where(is_dummy, 0, relative[ranked]))
    return Picture(
        figure=figure,
        alternative=(
            f"{len(shown_networks)} networks over {len(texts)} tokens, most energy on top: network "
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


def _token_label(text: str) -> str:
    if not text:
        return "…"  # a part of a character that the next tokens complete
    return safe(text.strip()[:12]) or "␣"


def _round_step(n: int) -> int:
    """Return the least of 1, 2, 5, 10, 20 … that gives `n` tokens at most 8 ticks."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if -(-n // (digit * scale)) <= 8:
                return digit * scale
        scale *= 10


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _row_label(network: int, name: str, *, is_selected: bool) -> str:
    text = f"{network} · {safe(short(name, 20))}"
    return f"<b>{text}</b>" if is_selected else text
