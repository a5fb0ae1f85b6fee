"""Connectome: how networks go together in time and in place, and what groups they form."""

import streamlit as st

from app import atlas_frame, components, connections, moments
from app.connectome_options import PICTURES, change, options
from fnprune_core.networks import NetworkAtlas


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
        _, placed = connections.arranged(atlas, options())
        moments.show_time(atlas, network, placed)
        return
    connections.controls(options())
    if picture == "graph":
        connections.show_graph(atlas, network)
    elif picture == "groups":
        connections.show_groups(atlas, network)
    else:
        connections.show_matrix(atlas, network)


opened = atlas_frame.open_atlas(
    "Connectome",
    "Which networks go together in time and in place, and what groups they form.",
)
if opened is not None:
    with components.explaining():
        if opened[0].n_networks < 2:
            st.info("One network has nothing to be connected with.", icon=":material/info:")
        else:
            show(*opened, choose_picture())
