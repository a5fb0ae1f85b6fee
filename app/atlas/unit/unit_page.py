"""Unit page: one neuron, its networks, the texts that activate it, its weights."""

import streamlit as st

from app.atlas.unit import choice, panels
from app.widgets import atlas_frame, frame
from app.widgets.search import bookmarks
from app.widgets.search.copy_link import copy_link
from app.widgets.search.items import link_of
from fnprune_core.atlas.lists.lists import Item
from fnprune_core.atlas.network_atlas import NetworkAtlas


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw all panels of the selected unit."""
    unit = choice.selected_unit(atlas, network)
    left, right = st.columns([2, 5], gap="large")
    with left:
        st.subheader(f"Strongest of network {network}", anchor=False)
        choice.starting_points(atlas, network, unit)
    with right:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(choice.label(atlas, unit).capitalize(), anchor=False, width="content")
            item = Item(kind="unit", number=unit)
            bookmarks.toggle(atlas, item, key="unit-bookmark")
            copy_link(link_of(item), what=f"unit {unit}", key="unit-link")
        choice.chooser(atlas, network, unit)
        with frame.explaining():
            panels.numbers(atlas, unit)
        panels.networks(atlas, network, unit)
    st.subheader("What activates it", anchor=False)
    with frame.explaining():
        panels.texts(atlas, unit)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Domains", anchor=False)
        with frame.explaining():
            panels.domains(atlas, unit)
    with right:
        st.subheader("Place in the cortex", anchor=False)
        with frame.explaining():
            panels.place(atlas, network, unit)
    st.subheader("Similar units", anchor=False)
    panels.relatives(atlas, network, unit)
    st.subheader("Weights and what it writes", anchor=False)
    with frame.explaining():
        panels.weights(atlas, unit)


atlas_and_network = atlas_frame.open_atlas(
    "Unit", "One neuron: its networks, the texts that activate it, and what it writes."
)
if atlas_and_network is not None:
    show(*atlas_and_network)
