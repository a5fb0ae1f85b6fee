"""Unit: one neuron, the networks it belongs to, the texts that activate it, its weights."""

import streamlit as st

from app import atlas_frame, components, unit_facts
from fnprune_core.networks import NetworkAtlas


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw all that is known of the chosen unit."""
    unit = unit_facts.chosen(atlas, network)
    left, right = st.columns([2, 5], gap="large")
    with left:
        st.subheader(f"Strongest of network {network}", anchor=False)
        unit_facts.starting_points(atlas, network, unit)
    with right:
        st.subheader(unit_facts.label(atlas, unit).capitalize(), anchor=False)
        unit_facts.chooser(atlas, network, unit)
        with components.explaining():
            unit_facts.numbers(atlas, unit)
        unit_facts.networks(atlas, network, unit)
    st.subheader("What activates it", anchor=False)
    with components.explaining():
        unit_facts.texts(atlas, unit)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Domains", anchor=False)
        with components.explaining():
            unit_facts.domains(atlas, unit)
    with right:
        st.subheader("Place in the cortex", anchor=False)
        with components.explaining():
            unit_facts.place(atlas, network, unit)
    st.subheader("Relatives", anchor=False)
    unit_facts.relatives(atlas, network, unit)
    st.subheader("Weights and what it writes", anchor=False)
    with components.explaining():
        unit_facts.weights(atlas, unit)


opened = atlas_frame.open_atlas(
    "Unit", "One neuron: its networks, the texts that activate it, and what it writes."
)
if opened is not None:
    show(*opened)
