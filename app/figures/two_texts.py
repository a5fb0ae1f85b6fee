"""Pictures of two texts from one prompt: where two models disagree, and the tokens each expects."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import bars, note, rule, ticks
from app.figures.markup import visible
from app.figures.theme import Palette

MOST_CANDIDATES = 10
_MAX_WORD = 24


def word_label(word: str) -> str:
    """Return a token's text for an axis: spaces, breaks and controls can be seen, markup cannot."""
    text = visible(word).replace("\n", "↵").replace("\t", "⇥")
    if not text.strip():
        return "␣" * max(len(text), 1)
    return safe(text if len(text) <= _MAX_WORD else text[: _MAX_WORD - 1] + "…")


def quoted(word: str) -> str:
    """Return a token's text in quotes, for a sentence."""
    return f"“{visible(word).replace(chr(10), '↵').strip() or '␣'}”"


def divergence_course(
    divergence: NDArray[np.floating],
    pieces: Sequence[str],
    probabilities: NDArray[np.floating],
    *,
    selected: int | None,
    difference: int | None,
    palette: Palette,
) -> Picture:
    """Draw how far two models disagree at each token of one text.

    Parameters
    ----------
    divergence : ndarray (n_tokens,)
        Of next-token distributions, in nats.
    pieces : sequence of str (n_tokens,)
    probabilities : ndarray (2, n_tokens)
        Of the text's own tokens, by the dense and the pruned model.
    selected : int or None
        The token that is looked at.
    difference : int or None
        Where the two models' own texts part.
    """
    n = len(divergence)
    figure = bars(
        go.Figure(), np.arange(n), divergence,
        colour=[palette.accent if i == selected else palette.quiet for i in range(n)],
        customdata=[word_label(piece) for piece in pieces],
        hover="token %{x} %{customdata}<br>%{y:.2f} nats",
    )  # fmt: skip
    style(
        figure, palette, height=220, bargap=0.15, x={"title": "token", "range": [-0.5, n - 0.5]},
        y={"title": "nats", "rangemode": "tozero", "nticks": 5},
    )  # fmt: skip
    if difference is not None and difference < n:
        rule(figure, palette.text, x=difference - 0.5, dash="dot")
        note(
            figure, "texts part", difference - 0.5, 1, colour=palette.text, yref="paper",
            xanchor="left" if difference < n * 0.7 else "right", yanchor="top",
        )  # fmt: skip
    peak = int(divergence.argmax())
    parting_sentence = (
        "The texts are alike." if difference is None else f"The texts part at token {difference}."
    )
    return Picture(
        figure=figure,
        alternative=(
            f"The next-token distributions differ most at token {peak}, {quoted(pieces[peak])} "
            f"({divergence[peak]:.2f} nats), and by {divergence.mean():.2f} nats on average over "
            f"{n} tokens. {parting_sentence}"
        ),
        table=pd.DataFrame(
            {
                "token": np.arange(n),
                "text": [visible(piece) for piece in pieces],
                "divergence, nats": divergence.round(4),
                "probability, dense": _digits(probabilities[0]),
                "probability, plan": _digits(probabilities[1]),
            }
        ),
    )


def next_tokens(
    words: Sequence[str],
    probabilities: NDArray[np.floating],
    *,
    written: str,
    palette: Palette,
) -> Picture:
    """Draw the next tokens that the dense and the pruned model expect, beside each other.

    Parameters
    ----------
    words : sequence of str (n,)
        The most probable tokens of either model, the most probable first; `MOST_CANDIDATES` are
        drawn, all are in the table.
    probabilities : ndarray (2, n)
        By the dense and the pruned model.
    written : str
        The token with which the text goes on.
    """
    n = min(len(words), MOST_CANDIDATES)
    figure = go.Figure()
    for name, values, colour in (
        ("plan", probabilities[1], palette.accent),
        ("dense", probabilities[0], palette.quiet),
    ):
        bars(
            figure, values[:n] * 100, list(range(n)), colour=colour, orientation="h", name=name,
            hover=f"{name}: %{{x:.2f}} %",
        )  # fmt: skip
    rows = {"range": [n - 0.5, -0.5], "showgrid": False, "ticks": ""}
    style(
        figure, palette, height=70 + 34 * n, legend=True, margin={"l": 110}, barmode="group",
        bargap=0.3, bargroupgap=0.05, x={"title": "% of the next token", "rangemode": "tozero",
        "nticks": 6}, y=ticks([word_label(word) for word in words[:n]], **rows),
    )  # fmt: skip
    figure.update_layout(legend_traceorder="reversed")
    most_probable = probabilities.argmax(axis=1)
    return Picture(
        figure=figure,
        alternative=(
            f"Next token: the dense model expects {quoted(words[most_probable[0]])} "
            f"({100 * probabilities[0, most_probable[0]]:.1f} %), the plan "
            f"{quoted(words[most_probable[1]])} ({100 * probabilities[1, most_probable[1]]:.1f} "
            f"%). The text goes on with {quoted(written)}."
        ),
        table=pd.DataFrame(
            {
                "next token": [visible(word) for word in words],
                "probability, dense": _digits(probabilities[0]),
                "probability, plan": _digits(probabilities[1]),
            }
        ),
    )


def _digits(values: NDArray[np.floating]) -> list[float]:
    """Return values to four digits."""
    return [float(f"{value:.4g}") for value in values]
