"""The connectome in the glass body: a sphere for each network, the strongest pairs as edges."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.atlas.connectome import data as cache
from app.atlas.connectome.graph_figures import edge_table, in_words
from app.atlas.connectome.options import options
from app.atlas.connectome.panels import show_pair, show_partners
from app.shell import recipes, resources
from app.shell.caches import trust
from app.shell.caches.colours import network_colours
from app.shell.images import places
from app.widgets import atlas_frame
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.scene import Graph, Scene
from app.widgets.body.scenes import atlas_scene
from app.widgets.body.viewer import FILM, Pick
from fnprune_core.atlas.network_atlas import NetworkAtlas

_KEY = "connectome-viewer"
_LEAST_MM, _MOST_MM = 2.0, 6.0  # radii of the weakest and the strongest network
_NOTE = (
    "Each sphere stands at its network's peak, its strongest unit; its size is the energy "
    "that the network explains alone. Warm edges are positive, cold ones negative, thick ones "
    f"strong. {PLACES} How near two spheres are says nothing."
)


def show_body(atlas: NetworkAtlas, network: int) -> None:
    """Draw the graph in the body; a sphere selects its network. Beside it stand its partners."""
    if resources.cortex(atlas.id) is None:
        atlas_frame.offer_cortex(atlas)
        return
    page_options, z = options(), atlas_frame.units_shown(atlas)
    values = cache.values(atlas.id, page_options.measure, z)
    edges = cache.edges(atlas.id, page_options.measure, z, page_options.edges)
    names, measure = cache.names(atlas.id), cache.MEASURES[page_options.measure]
    words = in_words(values, edges, names, measure, where="in the body")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        note.draw(
            scene(atlas, values, edges, network, words=words),
            lambda: edge_table(values, edges, names, measure),
            key=_KEY,
            on_pick=lambda pick: take_pick(atlas, pick),
            on_threshold=None,
            file=f"fnprune-connectome-{atlas.id[:8]}",
            made=recipes.code(f"connectome-{page_options.measure}", atlas=atlas.id, z=z),
            about=_NOTE,
        )
    with right:
        show_partners(atlas, network)
        show_pair(atlas, network)


def scene(
    atlas: NetworkAtlas,
    values: NDArray[np.floating],
    edges: NDArray[np.integer],
    network: int,
    *,
    words: str,
) -> Scene:
    """Return what the viewer shows: spheres at the networks' places, and edges between them."""
    energy = trust.network_table(atlas.id)["variance_alone"].to_numpy()
    share = np.sqrt(energy / max(float(energy.max()), 1e-12))
    strength = values[edges[:, 0], edges[:, 1]]
    spots = places.of_networks(atlas.id)
    return atlas_scene(
        atlas.id,
        "connectome",
        graph=Graph(
            places=spots,
            sizes=(_LEAST_MM + (_MOST_MM - _LEAST_MM) * share).tolist(),
            colours=network_colours(atlas.id, FILM.mode),
            names=[atlas_frame.label(atlas.id, k) for k in range(atlas.n_networks)],
            edges=[(int(a), int(b), float(r)) for (a, b), r in zip(edges, strength, strict=True)],
            limit=max(float(np.abs(strength).max()), 1e-6),
            selected=network,
        ),
        at=spots[network],
        alternative=words,
        without="The matrix and the graph show the same pairs.",
        hint="Press a sphere to select its network.",
        family="graph",
        view="render",
        fwhm=None,
        solid=0.25,
        name="Connectome in the body",
    )


def take_pick(atlas: NetworkAtlas, pick: Pick) -> None:
    """Select the network of the pressed sphere."""
    if pick.item is not None and 0 <= pick.item < atlas.n_networks:
        atlas_frame.select(pick.item)
