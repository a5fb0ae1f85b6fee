"""A network's map in the model's body: the viewer, what it says in words, and its presses."""

from dataclasses import replace

import numpy as np
import pandas as pd

from app.atlas.networks import options, picked_unit
from app.atlas.networks.options import MapOptions
from app.shell import recipes, view_state
from app.shell.caches import atlas_maps
from app.shell.caches import networks as network_page
from app.shell.images import addresses, places
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.picks import unit_of
from app.widgets.body.scene import Scene
from app.widgets.body.scenes import network_maps, network_scene
from app.widgets.body.viewer import Pick
from fnprune_core.atlas.network_atlas import NetworkAtlas

_NOTE = (
    "The grey is how active each unit is in all networks, or what was chosen above the picture. "
    f"Smoothing is for the eye: thresholds, counts and tables are of single units. {PLACES} Layers "
    "lie in order, the first at the bottom, and units of one network lie together."
)
_KEY = "map-viewer"


def show_body(
    atlas: NetworkAtlas, network: int, *, z: float, limit: float, map_options: MapOptions
) -> None:
    """Draw a network in the body, with others beside it; a press selects its unit."""
    pole = map_options.pole
    note.draw(
        scene(atlas, network, z=z, limit=limit, pole=pole),
        lambda: by_layer(atlas, network, z=z, pole=pole),
        key=_KEY,
        on_pick=lambda pick: take_pick(atlas, network, pick),
        words=in_words(atlas, network, z=z, pole=pole),
        file=f"fnprune-body-{atlas.id[:8]}-network-{network}-z{z:g}",
        made=recipes.code("body", atlas=atlas.id, network=network, z=z),
        about=_NOTE,
    )


def scene(atlas: NetworkAtlas, network: int, *, z: float, limit: float, pole: int) -> Scene:
    """Return what the viewer shows: the network, or it and others in their own colours."""
    words = in_words(atlas, network, z=z, pole=pole)
    present = replace(
        network_scene(atlas, network, z=z, limit=limit, words=words, pole=pole),
        at=place_of(atlas, network, pole=pole),
        without="For a unit, press it in the layers, or choose it under Units.",
    )
    beside = networks_beside(atlas, network)
    if not beside:
        return present
    together = (network, *beside)
    return replace(
        present,
        overlays=network_maps(atlas, together, limit=limit, pole=pole),
        still=addresses.several_url(atlas.id, "networks.png", together),
        alternative=f"{present.alternative} Beside it, each in its own colour: network "
        f"{', network '.join(map(str, beside))}.",
        hint="Press opens the unit; a name opens its network.",
    )


def networks_beside(atlas: NetworkAtlas, network: int) -> tuple[int, ...]:
    """Return the networks that are drawn together with a network."""
    others = (k for k in view_state.view().beside if k != network and k < atlas.n_networks)
    return tuple(others)[: options.MOST_BESIDE]


def place_of(atlas: NetworkAtlas, network: int, *, pole: int) -> tuple[float, float, float]:
    """Return where the picked unit is, or else the network's peak, in millimetres."""
    unit = view_state.view().unit
    if 0 <= unit < atlas.layout.n_units:
        return places.of_unit(atlas.id, unit)
    return places.of_network(atlas.id, network, pole=pole)


def take_pick(atlas: NetworkAtlas, network: int, pick: Pick) -> None:
    """Open a network whose name was pressed, else select the unit in the pressed voxel."""
    if pick.voxel is None:
        if pick.item is not None and 0 <= pick.item < atlas.n_networks and pick.item != network:
            others = {*view_state.view().beside, network} - {pick.item}
            view_state.change(network=pick.item, beside=tuple(sorted(others)))
        return
    if (unit := unit_of(atlas.id, pick)) is not None:
        picked_unit.press(unit, pick)


def by_layer(atlas: NetworkAtlas, network: int, *, z: float, pole: int) -> pd.DataFrame:
    """Return one row per layer: units beyond the threshold, and the largest z of each sign."""
    values = atlas.layer_map(network)
    is_beyond = np.nan_to_num(pole * values if pole else np.abs(values)) > z
    counted = {1: f"units with z > {z:g}", -1: f"units with z < −{z:g}"}
    table = pd.DataFrame(
        {
            "layer": np.arange(len(values)),
            counted.get(pole, f"units with |z| > {z:g}"): is_beyond.sum(axis=1),
        }
    )
    if pole >= 0:
        table["largest z"] = np.nanmax(values, axis=1).round(2)
    if pole <= 0:
        table["smallest z"] = np.nanmin(values, axis=1).round(2)
    return table


def in_words(atlas: NetworkAtlas, network: int, *, z: float, pole: int) -> str:
    """Return what the picture shows: units of each pole, and where they are most."""
    sentences = [
        network_page.pole_sentence(atlas.id, network, sign, z)
        for sign in (1, -1)
        if pole in (0, sign)
    ]
    poles = options.POLES[pole].lower()
    return (
        f"Network {network} in the body of {atlas.layout.n_layers} layers, {poles}: "
        f"{'; '.join(sentences)}."
    )


def pooled_limit(atlas: NetworkAtlas, network: int, z: float, map_options: MapOptions) -> float:
    """Return the |z| of the strongest colour: the network's own, or that of all."""
    if map_options.own_range:
        return atlas_maps.own_limit(atlas.id, z, network)
    return atlas_maps.colour_limit(atlas.id, z)
