"""Scanner page: a map of the model beside a real brain, and pictures by nilearn itself."""

import streamlit as st

from app.atlas.scanner import side_by_side
from app.atlas.scanner.panels import legend, scan
from app.shell import recipes, view_state
from app.shell.caches import networks, nilearn
from app.widgets import atlas_frame, frame
from fnprune_core.atlas.network_atlas import NetworkAtlas

PICTURES = {
    "map": "Model and brain",
    "several": "Several networks",
    "carpet": "Carpet",
    "matrix": "Connectome",
}
BREAKS = """
- **Places.** A voxel has neighbours in a body. A neuron has none: here each unit was given a place
  among those of its networks, so a blob shows that the placing works, and not that a network is
  local.
- **z.** In the model, z is over the units of one map: a score of how far a unit stands out. In the
  real brain of the first picture, z comes from a test over people. The same threshold does not mean
  the same thing.
- **Time.** A scan lasts about two seconds and blood answers late; a token is exact and at once.
- **Noise.** There is no movement, no heartbeat and no scanner drift. What is left over is other
  computation.
- **Size.** Millimetres of the model are nominal: 2 mm per unit, layers set apart to fill the
  height.
"""


def show_several(atlas: NetworkAtlas, network: int, z: float) -> None:
    """Draw a few networks as a probabilistic atlas."""
    networks = pick_together(atlas, network)
    code = recipes.code("scanner-several", atlas=atlas.id, networks=networks, z=z)
    nilearn_scan = nilearn.several(atlas.id, networks, z, frame.palette().mode)
    scan(nilearn_scan, key="scanner-several", made=code)
    legend([atlas_frame.label(atlas.id, k) for k in networks], networks, atlas.n_networks)


def show_carpet(atlas: NetworkAtlas, network: int) -> None:
    """Draw the strongest units of a few networks over a session."""
    together = pick_together(atlas, network)
    session = atlas_frame.viewed_session(atlas, networks.passages(atlas.id, network)[0].session)
    code = recipes.code("scanner-carpet", atlas=atlas.id, network=network, session=session)
    nilearn_scan = nilearn.carpet(atlas.id, together, session, frame.palette().mode)
    scan(nilearn_scan, key="scanner-carpet", made=code)


def pick_together(atlas: NetworkAtlas, network: int) -> tuple[int, ...]:
    """Draw the choice of the networks that are drawn together; return them."""
    networks_together = nilearn.together(atlas.id, network, view_state.view().beside)
    chosen = st.multiselect(
        "Together with",
        [k for k in range(atlas.n_networks) if k != network],
        default=networks_together[1:],
        format_func=lambda k: atlas_frame.label(atlas.id, k),
        max_selections=7,
        key=f"scanner-beside-{network}",
        help="At first, the networks whose time courses go with this one's. Empty the list to "
        "get them back.",
    )
    if tuple(chosen) != networks_together[1:]:
        view_state.change(beside=tuple(chosen))
    return nilearn.together(atlas.id, network, tuple(chosen))


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the chosen picture."""
    picture = atlas_frame.section(PICTURES, key="scanner-picture")
    z = view_state.view().z
    if picture == "several":
        z = atlas_frame.threshold("scanner-z", tip=atlas_frame.ONE_MAP)
    if nilearn.grid(atlas.id).placement == "index":
        st.info(
            "The units of this atlas have no places: they lie in the order of their numbers, and "
            "neighbours mean nothing. The page Networks can lay out the cortex.",
            icon=":material/grid_on:",
        )
    if picture == "map":
        side_by_side.show_map(atlas, network)
    elif picture == "several":
        show_several(atlas, network, z)
    elif picture == "carpet":
        show_carpet(atlas, network)
    else:
        code = recipes.code("scanner-matrix", atlas=atlas.id)
        nilearn_scan = nilearn.connectome(atlas.id, frame.palette().mode)
        scan(nilearn_scan, key="scanner-matrix", made=code)
    with st.expander("Where the analogy breaks down", icon=":material/healing:", expanded=True):
        st.markdown(BREAKS)


atlas_and_network = atlas_frame.open_atlas(
    "Beside a brain",
    "A map of the model beside one of a real brain, in the same viewer; and the same networks by "
    "nilearn, the toolbox that neuroimaging uses.",
)
if atlas_and_network is not None:
    with frame.explaining():
        show(*atlas_and_network)
