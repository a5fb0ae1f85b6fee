"""A network of the model and a map of a real brain, in the same viewer at the same threshold."""

from dataclasses import replace
from functools import partial

import streamlit as st

from app.shell import recipes, view_state
from app.shell.caches import atlas_maps, nilearn
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.picks import select_unit
from app.widgets.body.scenes import brain_scene, network_scene
from fnprune_core.atlas.network_atlas import NetworkAtlas

_MODEL, _BRAIN = "scanner-model", "scanner-brain"
_FAMILY = "scanner"  # what is set in one is set in the other


def show_map(atlas: NetworkAtlas, network: int) -> None:
    """Draw a network and the real motor map side by side."""
    z = view_state.view().z
    limit = max(atlas_maps.colour_limit(atlas.id, z), nilearn.motor_limit(z))
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader(f"Network {network} of the model", anchor=False)
        words, table = nilearn.model_facts(atlas.id, network, z)
        note.draw(
            replace(
                network_scene(atlas, network, z=z, limit=limit, words=words),
                hint="Press, or Enter, selects the unit.",
                family=_FAMILY,
                solid=1.0,
            ),
            lambda: table,
            key=_MODEL,
            on_pick=partial(select_unit, atlas.id),
            file=f"fnprune-scanner-{atlas.id[:8]}-network-{network}",
            made=recipes.code("scanner", atlas=atlas.id, network=network, z=z),
            about=PLACES,
        )
    with right:
        st.subheader("Left or right hand, real brains", anchor=False)
        words, table = nilearn.motor_facts(z)
        note.draw(
            replace(brain_scene(z=z, limit=limit, words=words), family=_FAMILY, solid=1.0),
            lambda: table,
            key=_BRAIN,
            file="fnprune-scanner-motor",
            made=recipes.code("scanner-motor", atlas=atlas.id, z=z),
            about="The grey is the MNI template of the human brain.",
        )
