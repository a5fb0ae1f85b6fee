"""Parcellation page: the whole model, each unit in the colour of its strongest network."""

import streamlit as st

from app.atlas.parcellation import data as cache
from app.atlas.parcellation import panels
from app.shell import glossary, resources, view_state
from app.widgets import atlas_frame, frame
from fnprune_core.atlas.network_atlas import NetworkAtlas

VIEWS = {"slices": "Slices", "sides": "Three sides", "3d": "3-D", "layers": "Layers"}


def controls() -> tuple[str, float]:
    """Draw the threshold and the choice of picture; return them."""
    viewed = view_state.view().map
    current = viewed if viewed in VIEWS else "slices"  # the networks' page has one more
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    with left:
        z = atlas_frame.threshold(
            "parcels-z",
            tip="A unit below it in every network belongs to none. A threshold on maps, not a "
            "test.",
        )
    chosen = middle.segmented_control(
        "View",
        list(VIEWS),
        format_func=VIEWS.__getitem__,
        default=current,
        required=True,
        key="parcels-view",
        help=glossary.tip("parcellation"),
    )
    if chosen is not None and chosen != current:
        view_state.change(map=chosen)
    fade_others = right.toggle(
        "Fade the others",
        panels.options().only,
        key="parcels-only",
        help="Only the selected network keeps its colour.",
    )
    if fade_others != panels.options().only:
        panels.change(only=fade_others)
    return chosen or current, z


def show(atlas: NetworkAtlas, network: int, map_view: str, z: float) -> None:
    """Draw the chosen picture, and the legend beside it."""
    only_network = network if panels.options().only else None
    look = cache.look(atlas.id, frame.palette().mode, only=only_network)
    left, right = st.columns([5, 3], gap="medium")
    with left, frame.explaining():
        if map_view == "layers" or resources.cortex(atlas.id) is None:
            if map_view != "layers" and atlas.decomposition.settings.get("scope") != "layer":
                atlas_frame.offer_cortex(atlas)
            panels.show_layers(atlas, look, z)
        elif map_view == "3d":
            panels.show_surfaces(atlas, look, z, network)
        elif map_view == "sides":
            panels.show_sides(atlas, look, z)
        else:
            panels.show_slices(atlas, look, z)
    with right, frame.explaining():
        panels.selected_facts(atlas, look, z, network)
        panels.legend(atlas, look, z, network)


atlas_and_network = atlas_frame.open_atlas(
    "Parcellation", "The whole model, each unit in the colour of its strongest network."
)
if atlas_and_network is not None:
    atlas, network = atlas_and_network
    with frame.explaining():
        show(atlas, network, *controls())
