"""The recorded session that a page shows: the one in the view, or another that is chosen."""

from collections.abc import Sequence

import streamlit as st

from app.shell import view_state
from app.shell.caches import networks
from fnprune_core.atlas.network_atlas import NetworkAtlas


def viewed(atlas: NetworkAtlas, otherwise: int) -> int:
    """Return the session in the view, or another where the atlas has no such session."""
    session = view_state.view().session
    return session if 0 <= session < len(networks.session_titles(atlas.id)) else otherwise


def choose(
    atlas: NetworkAtlas,
    current: int,
    *,
    key: str,
    numbers: Sequence[int] = (),
    label: str = "Session",
    help: str | None = None,
) -> None:
    """Draw the choice of a session; another one is in the view when the page runs again.

    Parameters
    ----------
    numbers : sequence of int, optional
        The sessions in the order in which they are offered; by number if not given.
    """
    titles = networks.session_titles(atlas.id)
    offered = list(numbers or range(len(titles)))
    key = f"{key}-{current}"
    st.selectbox(
        label,
        offered,
        index=offered.index(current),
        format_func=titles.__getitem__,
        key=key,
        on_change=lambda: select(int(view_state.widget(key))),
        help=help,
    )


def select(session: int) -> None:
    """Select another session in the view, and no token of it."""
    view_state.change(session=session, token=-1)
