"""Tokens that can be picked, coloured by strength, and the networks at a picked token."""

import zlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.figures.markup import HUE_OPACITY, LEAST_SHARE, MAX_OPACITY, STRONG_SHARE, signed, visible
from app.figures.theme import rgb
from app.shell import resources, view_state
from app.shell.caches.probe import usual_strength
from app.shell.components import component
from app.widgets.frame import palette
from app.widgets.gallery import bar_list
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.texts.token_pieces import spans_of

_MOST_NETWORKS = 12  # that stand at a token
_tokens = component("reader")


def reader(  # noqa: PLR0913 - a widget's options, as Streamlit's own have them
    pieces: Sequence[str],
    values: NDArray[np.floating],
    *,
    limit: float,
    key: str,
    on_pick: Callable[[int], None],
    selected: int | None = None,
    first: int = 0,
    height: int | None = 260,
    marks: Collection[int] | None = None,
    hues: Sequence[str] | None = None,
    tips: Sequence[str] | None = None,
    name: str = "Tokens, coloured by strength",
) -> None:
    """Draw tokens coloured by strength, each of which can be picked by mouse, finger or key.

    Warm above zero, cold below; underlined when strong, dashed when negative. Arrow keys move
    between tokens once one of them has the focus, Enter picks. Tokens without text of their own,
    which hold a part of a character (see `pieces_of`), are drawn as one with the token that
    completes it: that one is picked, and the strongest of their strengths is shown.

    Parameters
    ----------
    pieces : sequence of str (n,)
        Text of unknown origin: shown as text, with controls made visible.
    values : ndarray (n,)
        Strengths; NaN on dummy tokens, which stay without colour.
    limit : float
        The strength of full colour.
    on_pick : callable
        Called with the index in `pieces` of the picked token, before the page runs again.
    selected : int, optional
        Index in `pieces` of the token to be outlined.
    first : int
        Position of the first token, for tooltips.
    height : int or None
        Most pixels before the text scrolls; None lets it grow.
    marks : collection of int, optional
        Indices of tokens to be set in bold, e.g. what a search found.
    hues : sequence of str (n,), optional
        A colour ``#rrggbb`` for each token in place of warm and cold.
    tips : sequence of str (n,), optional
        What a tooltip adds for each token.
    name : str
        What a screen reader calls the text.
    """
    spans = spans_of(pieces)
    last_tokens = [last for _, last in spans]

    def report_pick(index: int) -> None:
        if index < len(last_tokens):
            on_pick(last_tokens[index])

    def span_of(token: int) -> int:
        return bisect_left(last_tokens, token)

    is_shown = selected is not None and 0 <= selected < len(pieces)
    _tokens(
        key,
        _tokens_data(
            ["".join(pieces[a : b + 1]) for a, b in spans],
            _strongest(values, spans),
            limit,
            {span_of(token) for token in marks or () if 0 <= token < len(pieces)},
            None if hues is None else [hues[last] for last in last_tokens],
            None if tips is None else [tips[last] for last in last_tokens],
            [str(first + b) if a == b else f"{first + a}–{first + b}" for a, b in spans],
        )
        | {
            "height": height,
            "selected": span_of(selected) if is_shown and selected is not None else None,
            "name": name,
        },
        picked=report_pick,
    )


def _strongest(
    values: NDArray[np.floating], spans: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Return of each span the value farthest from zero; NaN where all of its tokens are."""
    values_of_spans = [np.asarray(values[a : b + 1], dtype=np.float64) for a, b in spans]
    return np.array(
        [
            span_values[np.argmax(np.nan_to_num(np.abs(span_values), nan=-1.0))]
            for span_values in values_of_spans
        ]
    )


def _tokens_data(
    pieces: Sequence[str],
    values: NDArray[np.floating],
    limit: float,
    marks: Collection[int],
    hues: Sequence[str] | None,
    tips: Sequence[str] | None,
    places: Sequence[str],
) -> dict[str, Any]:
    colours = palette()
    data: dict[str, Any] = {
        "pieces": [visible(piece) for piece in pieces],
        "values": [
            None if value != value else round(value, 3)
            for value in np.asarray(values, dtype=np.float64).tolist()
        ],
        "limit": float(limit),
        "least": LEAST_SHARE,
        "strong": STRONG_SHARE,
        "opacity": MAX_OPACITY if hues is None else HUE_OPACITY,
        "hot": rgb(colours.hot[1]),
        "cold": rgb(colours.cold[1]),
        "marks": sorted(marks),
        "hues": None if hues is None else [rgb(hue) for hue in hues],
        "tips": None if tips is None else [visible(tip) for tip in tips],
        "places": list(places),
    }
    # The browser draws anew only what differs: a pick alone moves the outline.
    return data | {"version": f"{zlib.crc32(repr(data).encode('utf-8', 'replace')):08x}"}


def token_networks(
    atlas: NetworkAtlas,
    values: NDArray[np.floating],
    *,
    key: str,
) -> None:
    """Draw the networks that are strongest at a token, relative to their usual strength.

    Strengths of networks differ by their size; each is told as a multiple of the network's own
    root mean square over the recording. Pressing one selects it.

    Parameters
    ----------
    values : ndarray (K,)
        Strength of each network at the token.
    """
    multiple = np.asarray(values, dtype=np.float64) / usual_strength(atlas.id)
    if not np.isfinite(multiple).all():
        st.caption("A dummy token: networks are not told here.")
        return
    order = np.argsort(-np.abs(multiple), kind="stable")[:_MOST_NETWORKS]
    largest = max(float(np.abs(multiple[order]).max()), 1e-12)
    st.caption(
        "Beside each network: its strength here, and how many times its usual strength that is "
        "(its root mean square over the recording)."
    )
    bar_list(
        [
            {
                "id": int(k),
                "name": f"{k} · {resources.network_name(atlas.id, int(k))}",
                "note": f"{signed(values[k], '.2f')}, {signed(multiple[k], '.1f')}×",
                "share": float(multiple[k] / largest),
            }
            for k in order
        ],
        key=key,
        on_pick=lambda network: view_state.change(network=network),
        selected=view_state.view().network,
        name="Networks at this token, strongest first",
    )
