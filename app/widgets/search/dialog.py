"""The search over networks and units, and the lists of them, in a dialog of every atlas page.

What the dialog shows is imported once one is opened.
"""

import streamlit as st

from app.shell import session_state, view_state
from app.shell.components import component
from app.widgets import frame
from app.widgets.controls import button

_slash_key = component("slash_key")


def offer() -> None:
    """Draw the button that opens the search; also the key /."""
    view = view_state.view()
    if not view.atlas:
        return
    button(
        "Find",
        "search",
        key="find-open",
        kind="tertiary",
        help="Search networks and units by word, token, domain or name; open lists. Key: /",
        does=lambda: session_state.remember(session_state.SEARCH_IS_OPEN, True),
    )
    # Open until it is dismissed: a run of the whole page, by a job or a bookmark, leaves it so.
    if session_state.widget(session_state.SEARCH_IS_OPEN):
        _dialog(view.atlas)


def listen_to_slash() -> None:
    """Let the key / press the button of `offer`, where one is on the page."""
    with st.container(key="find-slash"):
        _slash_key(key="find-slash-key")


@st.dialog(
    "Find networks and units",
    width="large",
    icon=":material/search:",
    on_dismiss=lambda: session_state.forget(session_state.SEARCH_IS_OPEN),
)
def _dialog(atlas_id: str) -> None:
    from app.widgets.search import found

    with frame.explaining():
        found.show(atlas_id)
