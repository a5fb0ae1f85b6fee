"""The live scanner on Start: a recorded text of the example that plays once it is asked to."""

from typing import Any

import streamlit as st

from app import pages
from app.shell.images import kept
from app.widgets import frame
from app.widgets.body.live import live_scanner


def show_live(atlas_id: str) -> None:
    """Draw the live scanner over a recorded text, and the way to texts of one's own."""
    shown = kept.facts(atlas_id, "live", lambda: _found(atlas_id))
    live_scanner(shown, key="start-live", mode=frame.mode())
    st.page_link(
        pages.path("live"),
        label="Type a text of your own, or let it write",
        icon=":material/play_circle:",
    )


def _found(atlas_id: str) -> dict[str, Any]:
    from app.start import live_text

    return live_text.found(atlas_id)
