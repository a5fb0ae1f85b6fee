"""A network of the model and a map of a real brain, in the same viewer at the same threshold."""

from dataclasses import replace

import streamlit as st

from app.shell import recipes, resources, view_state
from app.shell.caches import nilearn
from app.widgets import frame
from app.widgets.body.note import PLACES, note
from app.widgets.body.picks import unit_of
from app.widgets.body.scenes import brain_scene, network_scene
from app.widgets.body.viewer import Pick, viewer
from fnprune_core.atlas.network_atlas import NetworkAtlas

_MODEL, _BRAIN = "scanner-model", "scanner-brain"
_FAMILY = "scanner"  # what is set in one is set in the other


def show_map(atlas: NetworkAtlas, network: int) -> None:
    """Draw a network and the real motor map side by side."""
    z = view_state.view().z
    limit = max(resources.colour_limit(atlas.id, z), nilearn.motor_limit(z))
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader(f"Network {network} of the model", anchor=False)
        words, table = nilearn.model_facts(atlas.id, network, z)
        viewer(
            replace(
                network_scene(atlas, network, z=z, limit=limit, words=words),
                hint="Press, or Enter, selects the unit.",
                family=_FAMILY,
                solid=1.0,
            ),
            key=_MODEL,
            mode=frame.palette().mode,
            on_pick=lambda pick: take_pick(atlas, pick),
            on_threshold=set_threshold,
        )
        note(
            words,
            lambda: table,
            key=_MODEL,
            file=f"fnprune-scanner-{atlas.id[:8]}-network-{network}",
            made=recipes.code("scanner", atlas=atlas.id, network=network, z=z),
            about=PLACES,
        )
    with right:
        st.subheader("Left or right hand, real brains", anchor=False)
        words, table = nilearn.motor_facts(z)
        viewer(
            replace(brain_scene(z=z, limit=limit, words=words), family=_FAMILY, solid=1.0),
            key=_BRAIN,
            mode=frame.palette().mode,
            on_threshold=set_threshold,
        )
        note(
            words,
            lambda: table,
            key=_BRAIN,
            file="fnprune-scanner-motor",
            made=recipes.code("scanner-motor", atlas=atlas.id, z=z),
            about="The grey is the MNI template of the human brain.",
        )


def take_pick(atlas: NetworkAtlas, pick: Pick) -> None:
    """Select the unit in the pressed voxel."""
    unit = unit_of(atlas.id, pick)
    if unit is not None:
        view_state.change(unit=unit)


def set_threshold(threshold: float) -> None:
    """Set the threshold of the view."""
    low, high = view_state.Z_RANGE
    view_state.change(z=round(min(max(threshold, low), high), 1))
