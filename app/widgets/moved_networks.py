"""Results that number an atlas's networks otherwise: what that means, and a match offered."""

import streamlit as st

from app.shell import session_state, wording
from app.shell.caches import peaks
from app.widgets.controls import button
from fnprune_core.errors import FnpruneError, NetworksMovedError


def check_link() -> None:
    """Say where a link's networks have other numbers here, and offer to match them by maps.

    Where they have not, the link of this view is brought up to the networks that it names.
    """
    try:
        moved = peaks.moved()
    except FnpruneError:  # a missing or damaged atlas is told where it is opened
        return
    if moved is None:
        peaks.write()
        return
    st.warning(
        "This link comes from a copy of this atlas that numbers its networks differently: "
        f"{moved.sentence()}",
        icon=":material/warning:",
    )
    with st.container(horizontal=True, gap="small", key="moved-link"):
        if moved.numbers:
            button(
                "Match by maps", "join_inner", key="link-match", does=peaks.renumber, args=(moved,)
            )
        button("Keep the numbers", "tag", key="link-keep", does=peaks.keep_numbers)


def offer(atlas: str, error: NetworksMovedError, *, key: str) -> None:
    """Say that a result is of networks that have other numbers here; offer to match by maps."""
    st.warning(wording.plain(error.message), icon=":material/warning:")
    if error.can_match:
        button(
            "Match by maps",
            "join_inner",
            key=f"match-{key}",
            does=session_state.match_results,
            args=(atlas,),
        )
    else:
        st.caption("Some of its networks are not in this atlas: delete it and run it again.")
