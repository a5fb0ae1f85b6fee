"""Parcellation page: the whole model, each unit in the colour of its strongest network."""

import streamlit as st

from app.atlas.parcellation import data as cache
from app.atlas.parcellation import panels
from app.shell import glossary, resources, view_fields, view_state
from app.widgets import atlas_frame, frame
from app.widgets.body.viewer import FILM
from app.widgets.controls import choose
from fnprune_core.atlas.network_atlas import NetworkAtlas

_TIP = "A unit below it in every network belongs to none. A threshold on maps, not a test."
VIEWS = dict(zip(view_fields.MAP_VIEWS, ("Body", "Layers"), strict=True))


def controls() -> str:
    """Draw the choice of picture; return it."""
    viewed = view_state.view().map
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = choose(
            "View", VIEWS, key="parcels-view", default=viewed, help=glossary.tip("parcellation")
        )
        fade_others = st.toggle(
            "Fade the others",
            panels.options().only,
            key="parcels-only",
            help="Only the selected network keeps its colour.",
        )
    view_state.change(map=chosen)
    panels.change(only=fade_others)
    return chosen


def show(atlas: NetworkAtlas, network: int, map_view: str) -> None:
    """Draw the chosen picture, and the legend beside it."""
    only_network = network if panels.options().only else None
    is_body = map_view == "body" and resources.cortex(atlas.id) is not None
    mode = FILM.mode if is_body else frame.palette().mode  # the legend has the picture's colours
    look = cache.look(atlas.id, mode, only=only_network)
    left, right = st.columns([5, 3], gap="medium")
    with left, frame.explaining():
        if not is_body:
            if map_view != "layers" and atlas.decomposition.settings.get("scope") != "layer":
                atlas_frame.offer_cortex(atlas)
            panels.show_layers(atlas, look, atlas_frame.units_rule(atlas, "parcels-z", tip=_TIP))
        else:
            panels.show_body(atlas, look, atlas_frame.units_shown(atlas), network)
    with right, frame.explaining():
        z = (
            atlas_frame.units_rule(atlas, "parcels-units", tip=_TIP, has_slider=True)
            if is_body
            else atlas_frame.units_shown(atlas)
        )
        panels.selected_facts(atlas, look, z, network)
        panels.legend(atlas, look, z, network)


atlas_and_network = atlas_frame.open_atlas(
    "Parcellation", "The whole model, each unit in the colour of its strongest network."
)
if atlas_and_network is not None:
    atlas, network = atlas_and_network
    with frame.explaining():
        show(atlas, network, controls())
