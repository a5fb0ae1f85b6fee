"""Lists of promoted tokens without slurs and crimes, unless a person asks for them."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.shell import session_state
from app.shell.wording import count
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.texts.spared_words import is_spared

HIDDEN = "(hidden)"
_KEY = "show spared words"


def shown(*lists: Sequence[LogitEffect]) -> tuple[list[LogitEffect], ...]:
    """Return lists of tokens as they are shown; where some are hidden, draw the switch.

    A hidden token keeps its row and its effect, so that nothing else moves.
    """
    n_spared = sum(is_spared(effect.text) for effects in lists for effect in effects)
    if n_spared and st.toggle(
        f"Show {count(n_spared, 'word')} that may offend",
        bool(session_state.widget(_KEY)),
        key="spared-words",
        on_change=lambda: session_state.remember(_KEY, session_state.widget("spared-words")),
        help="Insults, slurs and crimes are hidden at first. The model chose these words; the "
        "list of what is hidden is assets/words/spared.toml.",
    ):
        return tuple(list(effects) for effects in lists)
    return tuple(
        [replace(each, text=HIDDEN) if is_spared(each.text) else each for each in effects]
        for effects in lists
    )
