"""The picker of a network, which all activities share."""

import streamlit as st

from app.shell import glossary
from app.widgets import atlas_frame
from fnprune_core.atlas.network_atlas import NetworkAtlas


def pick_network(atlas: NetworkAtlas, *, chapter: str, default: int) -> int:
    """Return the chosen network; each chapter begins with the one that shows its point."""
    chosen: int = st.selectbox(
        "Network of the model",
        range(atlas.n_networks),
        index=default,
        format_func=lambda k: atlas_frame.label(atlas.id, k),
        key=f"lesson-{chapter}-network",
        help=glossary.tip("component"),
    )
    return chosen
