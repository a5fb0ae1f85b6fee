"""Parcellation: the whole model, each unit in the colour of its strongest network."""

import streamlit as st

from app import atlas_frame, components, glossary, maps, parcels, resources, state
from app.caches import parcellation as cache
from fnprune_core.networks import NetworkAtlas

VIEWS = dict(zip(state.MAP_VIEWS, ("Slices", "Three sides", "3-D", "Layers"), strict=True))


def controls() -> tuple[str, float]:
    """Draw the threshold and the choice of picture; return them."""
    view = state.view()
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
        default=view.map,
        required=True,
        key="parcels-view",
        help=glossary.tip("parcellation"),
    )
    if chosen is not None and chosen != view.map:
        state.change(map=chosen)
    only = right.toggle(
        "Fade the others",
        parcels.options().only,
        key="parcels-only",
        help="Only the selected network keeps its colour.",
    )
    if only != parcels.options().only:
        parcels.change(only=only)
    return chosen or view.map, z


def show(atlas: NetworkAtlas, network: int, shown: str, z: float) -> None:
    """Draw the chosen picture, and the legend beside it."""
    only = network if parcels.options().only else None
    look = cache.look(atlas.id, components.palette().mode, only=only)
    left, right = st.columns([5, 3], gap="medium")
    with left, components.explaining():
        if shown == "layers" or resources.cortex(atlas.id) is None:
            if shown != "layers" and atlas.decomposition.settings.get("scope") != "layer":
                maps.offer_cortex(atlas)
            parcels.show_layers(atlas, look, z)
        elif shown == "3d":
            parcels.show_surfaces(atlas, look, z, network)
        elif shown == "sides":
            parcels.show_sides(atlas, look, z)
        else:
            parcels.show_slices(atlas, look, z)
    with right, components.explaining():
        parcels.selected_facts(atlas, look, z, network)
        parcels.legend(atlas, look, z, network)


opened = atlas_frame.open_atlas(
    "Parcellation", "The whole model, each unit in the colour of its strongest network."
)
if opened is not None:
    atlas, network = opened
    with components.explaining():
        show(atlas, network, *controls())
