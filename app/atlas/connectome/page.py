"""Connectome: how networks go together in time and in place, and what groups they form."""

import streamlit as st

from app.atlas.connectome import over_time, panels
from app.atlas.connectome.options import PICTURES, change, options
from app.widgets import atlas_frame, frame
from fnprune_core.atlas.network_atlas import NetworkAtlas


def choose_picture() -> str:
    """Draw the choice between the page's pictures; return the chosen one."""
    held = options().picture
    chosen = st.segmented_control(
        "Picture",
        list(PICTURES),
        format_func=PICTURES.__getitem__,
        default=held,
        required=True,
        key="connectome-picture",
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != held:
        change(picture=chosen)
    return chosen or held


def show(atlas: NetworkAtlas, network: int, picture: str) -> None:
    """Draw the chosen picture with its controls."""
    if picture == "time":
        _, placed = panels.arranged(atlas, options())
        over_time.show_time(atlas, network, placed)
        return
    panels.controls(options())
    if picture == "graph":
        panels.show_graph(atlas, network)
    elif picture == "groups":
        panels.show_groups(atlas, network)
    else:
        panels.show_matrix(atlas, network)


opened = atlas_frame.open_atlas(
    "Connectome",
    "Which networks go together in time and in place, and what groups they form.",
)
if opened is not None:
    with frame.explaining():
        if opened[0].n_networks < 2:
            st.info("One network has nothing to be connected with.", icon=":material/info:")
        else:
            show(*opened, choose_picture())
