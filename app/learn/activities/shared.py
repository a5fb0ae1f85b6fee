"""The picker of a network, which all activities share."""

import streamlit as st

from app.shell import glossary
from app.shell.caches import trust
from app.widgets import atlas_frame
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.network_atlas import NetworkAtlas


def pick_network(atlas: NetworkAtlas, *, chapter: str, default: int) -> int:
    """Return the chosen network; each chapter begins with the one that shows its point.

    Those that come back in halves of the documents stand first, and it is said of others that
    they do not.
    """
    order = trust.recurring_first(atlas.id)
    chosen: int = st.selectbox(
        "Network of the model",
        order,
        index=order.index(default),
        format_func=lambda k: atlas_frame.label(atlas.id, k),
        key=f"lesson-{chapter}-network",
        help=glossary.tip("component"),
    )
    if not trust.recurs(atlas.id)[chosen]:
        st.caption(f"Split-half r under {HIGH:g}: not found again in halves of the documents.")
    return chosen
