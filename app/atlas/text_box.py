"""The box for a person's own text, which pages that read one share, with examples."""

import zlib

import streamlit as st

from app.shell import codec, view_state

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
    key = f"{page}-text"
    viewed_text = view_state.view().text
    # They differ when an example was pressed, a link followed, or the page left.
    if view_state.widget(key) != viewed_text:
        view_state.remember(key, viewed_text)
    example = f"{page}-example-{zlib.crc32(viewed_text.encode('utf-8', 'replace'))}"
    st.pills(
        "Examples",
        list(EXAMPLES),
        default=next((name for name, text in EXAMPLES.items() if text == viewed_text), None),
        key=example,
        on_change=lambda: select_text(EXAMPLES.get(view_state.widget(example) or "")),
        label_visibility="collapsed",
    )
    st.text_area(
        "Your text",
        height=120,
        key=key,
        placeholder="Type or paste a text, or press an example",
        on_change=lambda: select_text(view_state.widget(key)),
        help="Nothing is sent anywhere: the model on this machine reads it.",
    )
    is_pressed = st.button("Read", type="primary", icon=":material/play_arrow:", key=f"{page}-read")
    if len(viewed_text) > codec.MAX_TEXT:
        st.caption(
            f"A link carries texts of up to {codec.MAX_TEXT} characters. This one has "
            f"{len(viewed_text):,} and stays in this session only."
        )
    return is_pressed


def select_text(text: str | None) -> None:
    """Select another text in the view."""
    if text is not None:
        view_state.change(text=text, token=-1, session=-1)
