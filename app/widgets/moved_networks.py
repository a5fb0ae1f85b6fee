"""Results that number an atlas's networks otherwise: what that means, and a match offered."""

import streamlit as st

from app.shell import view_state, wording
from fnprune_core.errors import NetworksMovedError


def offer(atlas: str, error: NetworksMovedError, *, key: str) -> None:
    """Say that a result is of networks that have other numbers here; offer to match by maps."""
    st.warning(wording.plain(error.message), icon=":material/warning:")
    if error.can_match:
        st.button(
            "Match by maps",
            icon=":material/join_inner:",
            key=f"match-{key}",
            on_click=view_state.match_results,
            args=(atlas,),
        )
    else:
        st.caption("Some of its networks are not in this atlas: delete it and run it again.")
