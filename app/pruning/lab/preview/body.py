"""A plan as a lesion of the model's body: what would go is a hole, around it who loses most."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app.pruning.lab.preview.figures import Sheets, describe, network_table
from app.shell import view_state, wording
from app.shell.caches import atlas_maps
from app.shell.images import places
from app.widgets import atlas_frame, frame, pinned_units
from app.widgets.body.note import PLACES
from app.widgets.body.picks import unit_of
from app.widgets.body.scene import Scene, Threshold
from app.widgets.body.scenes import atlas_scene, lesion_of, network_maps
from app.widgets.body.viewer import Pick, set_threshold, viewer
from fnprune_core.atlas.network_atlas import NetworkAtlas

_KEY = "preview-viewer"
#: Networks that are drawn around the hole: those that lose the largest share of their units.
N_LOSERS = 3


def show_lesion(atlas: NetworkAtlas, sheets: Sheets) -> None:
    """Draw what a plan removes as a hole in the anatomy; a press selects a unit to pin."""
    viewer(
        scene(atlas, sheets, words=describe(sheets)),
        key=_KEY,
        mode=frame.palette().mode,
        on_pick=lambda pick: take_pick(atlas, pick),
        on_threshold=set_threshold,
    )
    shares = network_table(sheets).set_index("network")["share"]
    lost = [(network, f"{100 * shares[network]:.0f} %") for network in losers(sheets)]
    if lost:
        numbers = ", ".join(f"{network} ({share})" for network, share in lost)
        names = "; ".join(wording.plain(atlas_frame.label(atlas.id, each)) for each, _ in lost)
        st.caption(f"Networks that would lose most units: {numbers}", help=f"{names}. {_NOTE}")
    _pin_selected(atlas, sheets)


_NOTE = (
    "The grey is darker where more of it would go, and empty where all of it would; smoothing is "
    "for the eye alone. In colour are the networks that would lose the largest share of their "
    f"units. {PLACES}"
)


def losers(sheets: Sheets) -> list[int]:
    """Return the networks that lose the largest share of their units, from most to least.

    Those that lose nothing are none of them.
    """
    table = network_table(sheets)
    table = table[(table["network"] >= 0) & (table["would go"] > 0)]
    ranked = table.sort_values("share", ascending=False, kind="stable")
    return [int(network) for network in ranked["network"].head(N_LOSERS)]


def scene(atlas: NetworkAtlas, sheets: Sheets, *, words: str) -> Scene:
    """Return what the viewer shows: the lesioned anatomy, and the networks that lose most."""
    z = view_state.view().z
    limit = atlas_maps.colour_limit(atlas.id, z)
    shares = network_table(sheets).set_index("network")["share"]
    networks = losers(sheets)
    return atlas_scene(
        atlas.id,
        "lesion",
        lesion=lesion_of(atlas.id, ~sheets.keep),
        overlays=tuple(
            replace(overlay, name=f"{overlay.name}: {100 * shares[overlay.id]:.0f} % would go")
            for overlay in network_maps(atlas, networks, limit=limit)
        ),
        threshold=Threshold(value=z) if networks else None,
        at=places.of_network(atlas.id, networks[0]) if networks else None,
        alternative=words,
        without="What would go, by layer and by unit, shows the same.",
        hint="Press selects the unit, to pin it; a name opens its network.",
        family="lesion",
        fwhm=3.0,
        solid=0.8,
        name="Plan in the body",
        is_small=True,
    )


def take_pick(atlas: NetworkAtlas, pick: Pick) -> None:
    """Select the network whose name was pressed, or the unit in the pressed voxel."""
    unit = unit_of(atlas.id, pick)
    if unit is not None:
        view_state.change(unit=unit)
    elif pick.voxel is None and pick.item is not None and 0 <= pick.item < atlas.n_networks:
        atlas_frame.select(pick.item)


def _pin_selected(atlas: NetworkAtlas, sheets: Sheets) -> None:
    """Draw what becomes of the selected unit, and the buttons that pin it."""
    unit = view_state.view().unit
    if not 0 <= unit < atlas.layout.n_units:
        return
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    fate = "would stay" if bool(np.asarray(sheets.keep)[unit]) else "would go"
    st.markdown(f"**Unit {index} of layer {layer}** {fate}.")
    pinned_units.buttons([unit], key="preview-body")
