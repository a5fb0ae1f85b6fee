"""A network of the model and a map of a real brain, in the same viewer at the same threshold."""

import streamlit as st

from app.shell import recipes, resources, view_state
from app.shell.caches import nilearn
from app.shell.images import files as images
from app.shell.images import places
from app.shell.images import routes as image_routes
from app.widgets import frame
from app.widgets.body.note import PLACES, note
from app.widgets.body.picks import unit_of
from app.widgets.body.scene import Scene, StatMap, Threshold
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
            model_scene(atlas, network, z=z, limit=limit, words=words),
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
            brain_scene(z=z, limit=limit, words=words),
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


def model_scene(atlas: NetworkAtlas, network: int, *, z: float, limit: float, words: str) -> Scene:
    """Return what the viewer shows of the model."""
    version = images.version(atlas.id)
    return Scene(
        anatomy=image_routes.anatomy_url(atlas.id, version),
        overlays=(StatMap(url=image_routes.map_url(atlas.id, network, version), limit=limit),),
        threshold=Threshold(value=z),
        at=places.of_network(atlas.id, network, z=z),
        layers=images.layers(atlas.id),
        alternative=words,
        file=f"fnprune-{atlas.id[:8]}-network-{network}",
        still=image_routes.still_url(atlas.id, network, version, limit=round(limit, 2), pole=0),
        hint="Press, or Enter, selects the neuron.",
        family=_FAMILY,
        solid=1.0,
    )


def brain_scene(*, z: float, limit: float, words: str) -> Scene:
    """Return what the viewer shows of the real brain."""
    return Scene(
        anatomy=image_routes.brain_url("anatomy.nii.gz"),
        overlays=(StatMap(url=image_routes.brain_url("motor.nii.gz"), limit=limit),),
        threshold=Threshold(value=z),
        at=nilearn.motor_peak(),
        alternative=words,
        file="fnprune-motor",
        still=image_routes.brain_url("motor.png", limit=round(limit, 2)),
        family=_FAMILY,
        fwhm=None,  # smoothed when it was made
        solid=1.0,
        name="Map in a real brain",
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
