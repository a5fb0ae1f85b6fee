"""The picked unit: its place and networks, and the way to its own page."""

import numpy as np
import streamlit as st

from app import pages
from app.shell import resources, view_state, wording
from fnprune_core.atlas.network_atlas import NetworkAtlas

UNIT_PAGE = pages.path("unit")


def has_page(path: str) -> bool:
    """Whether the navigation has a page."""
    return any(page.path == path for page in pages.ATLAS)


def pick_unit(unit: int) -> None:
    """Select a unit in the view."""
    view_state.change(unit=unit)


def unit_card(atlas: NetworkAtlas, network: int, *, key: str) -> None:
    """Draw the picked unit in a few words; nothing where none is picked."""
    unit = view_state.view().unit
    if not 0 <= unit < atlas.layout.n_units:
        return
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    values = atlas.maps[:, unit]
    order = np.argsort(-np.abs(values), kind="stable")[:3]
    with st.container(border=True, gap="xsmall", key=f"{key}-card"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**Neuron {index} of layer {layer}**, z {values[network]:.1f} in this network",
                width="stretch",
            )
            if has_page(UNIT_PAGE) and st.button(
                "Open the neuron", icon=":material/my_location:", key=f"{key}-open"
            ):
                st.switch_page(UNIT_PAGE)
            st.button(
                "Close",
                icon=":material/close:",
                type="tertiary",
                key=f"{key}-close",
                on_click=pick_unit,
                args=(-1,),
            )
        strongest = ", ".join(
            f"{k} · {resources.network_name(atlas.id, int(k))} (z {values[k]:.1f})" for k in order
        )
        st.caption(f"Strongest in {wording.plain(strongest)}")
