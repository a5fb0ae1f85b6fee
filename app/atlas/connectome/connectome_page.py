"""Connectome page: networks together in time and in place, and the groups they form."""

import streamlit as st

from app.atlas.connectome import body, groups, over_time, panels
from app.atlas.connectome.options import PICTURES, change, options
from app.widgets import atlas_frame, frame
from app.widgets.controls import choose
from fnprune_core.atlas.network_atlas import NetworkAtlas

SHOW = {
    "matrix": panels.show_matrix,
    "graph": panels.show_graph,
    "body": body.show_body,
    "groups": groups.show_groups,
    "time": over_time.show_time,
}


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the chosen picture with its controls."""
    picture = choose("Picture", PICTURES, key="connectome-picture", default=options().picture)
    change(picture=picture)
    if picture != "time":
        panels.choose_measure(atlas)
    SHOW[picture](atlas, network)


atlas_and_network = atlas_frame.open_atlas(
    "Connectome",
    "Which networks go together in time and in place, and what groups they form.",
)
if atlas_and_network is not None:
    with frame.explaining():
        if atlas_and_network[0].n_networks < 2:
            st.info("One network has nothing to be connected with.", icon=":material/info:")
        else:
            show(*atlas_and_network)
