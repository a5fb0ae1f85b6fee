"""The box for a person's own text, which pages that read one share, with examples."""

import zlib
from collections.abc import Mapping

import streamlit as st

from app.shell import codec, session_state, view_state, wording
from app.widgets.controls import button

#: Written for these pages, one a domain.
EXAMPLES = {
    "Story": "The old lighthouse keeper climbed the stairs one last time. Below him the sea was "
    "calm, and for once nobody needed the light.",
    "Python": "def mean(values: list[float]) -> float:\n"
    '    """Return the arithmetic mean."""\n'
    "    return sum(values) / len(values)\n",
    "French": "Hier soir, nous avons marché le long de la rivière jusqu'au vieux pont, où les "
    "enfants jetaient des cailloux dans l'eau.",
    "Arithmetic": "If 12 boxes hold 8 apples each, there are 12 × 8 = 96 apples. "
    "Half of 96 is 48, and 48 + 7 = 55.",
    "Legal": "The licensee shall not assign this agreement, in whole or in part, without the "
    "prior written consent of the licensor.",
    "Chat": "Question: Why is the sky blue?\nAnswer: Because air scatters blue light more than "
    "red light.\n",
    "Shuffled": "of blue bridge seven the quickly under although stones, not. river a them "
    "yesterday whose green between it paper",
}


def text_box(page: str) -> bool:
    """Draw the box for the text, with examples; return whether Read was pressed.

    Parameters
    ----------
    page : str
        With which the keys of its widgets begin.
    """
    text = box("text", EXAMPLES, key=f"{page}-text", label="Your text")
    is_pressed = button("Read", "play_arrow", kind="primary", key=f"{page}-read")
    if len(text) > codec.MAX_TEXT:
        st.caption(
            f"A link carries texts of up to {codec.MAX_TEXT} characters. This one has "
            f"{len(text):,} and stays in this session only."
        )
    return is_pressed


def box(field: str, examples: Mapping[str, str], *, key: str, label: str) -> str:
    """Draw a box for a text that the view holds, with examples to press; return the text.

    Parameters
    ----------
    field : str
        Of the view: ``text`` or ``prompt``.
    """
    viewed: str = getattr(view_state.view(), field)
    # They differ when an example was pressed, a link followed, or the page left.
    if session_state.widget(key) != viewed:
        session_state.remember(key, viewed)

    def select(text: str | None) -> None:
        if text is not None:
            view_state.change(**{field: text, "token": -1, "session": -1})

    example = f"{key}-example-{zlib.crc32(viewed.encode('utf-8', 'replace'))}"
    st.pills(
        "Examples",
        list(examples),
        format_func=wording.plain,
        default=next((name for name, text in examples.items() if text == viewed), None),
        key=example,
        on_change=lambda: select(examples.get(session_state.widget(example) or "")),
        label_visibility="collapsed",
    )
    st.text_area(
        label,
        height=120,
        key=key,
        placeholder="Type or paste a text, or press an example",
        on_change=lambda: select(session_state.widget(key)),
        help="Nothing is sent anywhere: the model on this machine reads it.",
    )
    return viewed
