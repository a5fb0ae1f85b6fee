"""Connectome page: networks together in time and in place, and the groups they form."""

import streamlit as st

from app.atlas.connectome import body, over_time, panels
from app.atlas.connectome.options import PICTURES, change, options
from app.widgets import atlas_frame, frame
from app.widgets.controls import choose
from fnprune_core.atlas.network_atlas import NetworkAtlas


def choose_picture() -> str:
    """Draw the choice between the page's pictures; return the chosen one."""
    viewed_picture = options().picture
    chosen = choose("Picture", PICTURES, key="connectome-picture", default=viewed_picture)
    if chosen != viewed_picture:
        change(picture=chosen)
    return chosen


def show(atlas: NetworkAtlas, network: int, picture: str) -> None:
    """Draw the chosen picture with its controls."""
    if picture == "time":
        _, arrangement = panels.arranged(atlas, options())
        over_time.show_time(atlas, network, arrangement)
        return
    panels.choose_measure(atlas, options())
    if picture == "graph":
        panels.show_graph(atlas, network)
    elif picture == "body":
        body.show_body(atlas, network)
    elif picture == "groups":
        panels.show_groups(atlas, network)
    else:
        panels.show_matrix(atlas, network)


atlas_and_network = atlas_frame.open_atlas(
    "Connectome",
    "Which networks go together in time and in place, and what groups they form.",
)
if atlas_and_network is not None:
    with frame.explaining():
        if atlas_and_network[0].n_networks < 2:
            st.info("One network has nothing to be connected with.", icon=":material/info:")
        else:
            show(*atlas_and_network, choose_picture())
