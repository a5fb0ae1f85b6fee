"""A network's map in the model's body: the viewer, what it says in words, and its presses."""

import nibabel as nib
import numpy as np
import streamlit as st

from app.atlas.networks import options, picked_unit
from app.shell import recipes, view_state
from app.shell.caches import networks as network_page
from app.shell.images import files as images
from app.shell.images import routes as image_routes
from app.widgets import frame
from app.widgets.body.viewer import Scene, Voxel, viewer
from app.widgets.picture import provenance
from fnprune_core.atlas.network_atlas import NetworkAtlas

_NOTE = (
    "The grey is how active each neuron is in all networks, as its rank in its layer. Smoothing is "
    "for the eye alone, and the smoothed map is scaled back to its spread: thresholds, counts and "
    "tables are of single neurons. Places are ours, neurons have none: layers lie in order, the "
    "first at the bottom, and neurons of one network lie together."
)


def show_body(atlas: NetworkAtlas, network: int, *, z: float, limit: float, pole: int) -> None:
    """Draw a network in the body; a press selects its neuron."""
    version = images.version(atlas.id)
    scene = Scene(
        anatomy=image_routes.anatomy_url(atlas.id, version),
        map=image_routes.map_url(atlas.id, network, version),
        still=image_routes.still_url(atlas.id, network, version, limit=round(limit, 2), pole=pole),
        threshold=z,
        limit=limit,
        pole=pole,
        at=place_of(atlas, network, pole),
        layers=images.layers(atlas.id),
        alternative=in_words(atlas, network, z=z, pole=pole),
        file=f"fnprune-{atlas.id[:8]}-network-{network}",
    )
    viewer(
        scene,
        key="map-viewer",
        mode=frame.palette().mode,
        on_pick=lambda voxel: pick_voxel(atlas, voxel),
        on_threshold=set_threshold,
    )
    with st.container(horizontal=True, wrap=False, gap="small", vertical_alignment="center"):
        st.caption(_NOTE, width="stretch")
        provenance(recipes.code("body", atlas=atlas.id, network=network, z=z), key="map-viewer")


def place_of(atlas: NetworkAtlas, network: int, pole: int) -> tuple[float, float, float]:
    """Return where the picked unit is, or else the strongest of the network, in millimetres."""
    unit = view_state.view().unit
    if not 0 <= unit < atlas.layout.n_units:
        values = np.asarray(atlas.maps[network], dtype=np.float32)
        unit = int((pole * values if pole else np.abs(values)).argmax())
    grid = images.grid(atlas.id)
    voxel = np.argwhere(grid.unit_of_voxel == unit)[0]
    x, y, z = nib.affines.apply_affine(grid.affine, voxel).tolist()
    return x, y, z


def pick_voxel(atlas: NetworkAtlas, voxel: Voxel) -> None:
    """Select the unit in a voxel; a voxel without one selects nothing."""
    units = images.grid(atlas.id).unit_of_voxel
    is_inside = all(0 <= place < size for place, size in zip(voxel, units.shape, strict=True))
    if is_inside and units[voxel] >= 0:
        picked_unit.pick_unit(int(units[voxel]))


def set_threshold(threshold: float) -> None:
    """Set the threshold of the view, and of the sliders that show it."""
    low, high = view_state.Z_RANGE
    z = round(min(max(threshold, low), high), 1)
    view_state.change(z=z)
    view_state.remember("atlas-z", z)


def in_words(atlas: NetworkAtlas, network: int, *, z: float, pole: int) -> str:
    """Return what the picture shows: units of each pole, and where they are most."""
    sentences = []
    for sign in (1, -1):
        if pole not in (0, sign):
            continue
        facts = network_page.pole_facts(atlas.id, network, sign, z)
        beyond = f"z above {z:g}" if sign > 0 else f"z below −{z:g}"
        place = f", most of them in layer {facts['peak_layer']}" if facts["n_units"] else ""
        sentences.append(f"{facts['n_units']:,} neurons with {beyond}{place}")
    poles = options.POLES[pole].lower()
    return (
        f"Network {network} in the body of {atlas.layout.n_layers} layers, {poles}: "
        f"{'; '.join(sentences)}."
    )
