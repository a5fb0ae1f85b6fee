"""The question whether an artifact is deleted for good."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

from app.shell import resources, session_state
from app.widgets import frame

Item = TypeVar("Item")


def clicked(key: str, items: Sequence[Item]) -> Item | None:
    """Return the item in whose row the button of this key was pressed, or None."""
    click = session_state.widget(key)
    return None if click is None or click.row >= len(items) else items[click.row]


def ask(key: str, items: Sequence[Item]) -> None:
    """Remember the item whose button was pressed, for `asked` in the run that follows."""
    session_state.remember(_pending(key), clicked(key, items))


def asked(key: str) -> Any:
    """Return the item that `ask` remembered, once; None where there is none."""
    return session_state.recall(_pending(key))


def _pending(key: str) -> str:
    return f"{key}: to be deleted"  # a key of its own: a button's cannot be assigned


@st.dialog("Delete permanently?")
def confirm(kind: str, id: str, lines: Sequence[str]) -> None:
    """Say what would be deleted, a line of Markdown each, and delete it if that is confirmed."""
    for line in lines:
        st.markdown(line)
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            with frame.explaining():
                resources.workspace().delete(kind, id)
                resources.forget_open()
                session_state.notify("Deleted")
                st.rerun()
        if st.button("Keep it"):
            st.rerun()
