"""Cached data of the Embedding page: the placed units of an atlas, with layer, network and z."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.embedding.networks import NetworkPoints
from app.figures.embedding.units import UnitPoints
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.embedding import Embedding, embedding_id, has_embedding, open_embedding


def embedding(atlas_id: str) -> Embedding | None:
    """Return where an atlas's units lie in the plane, or None if that was not computed yet."""
    if not has_embedding(resources.workspace(), atlas_id):
        return None
    return _embedding(atlas_id)


@cached(max_entries=4)
def _embedding(atlas_id: str) -> Embedding:
    return open_embedding(resources.workspace(), embedding_id(atlas_id))


@cached(max_entries=8)
def unit_points(atlas_id: str, z: float | None) -> UnitPoints:
    """Return the placed units with layer, index, network and z; `z` as in `NetworkAtlas`."""
    embedded, atlas = _embedding(atlas_id), resources.atlas(atlas_id)
    layer, index = atlas.layout.locate(embedded.units)
    network = atlas.parcellation(z=z)[embedded.units]
    strongest, _ = atlas.strongest
    shown = np.where(network >= 0, network, strongest[embedded.units])
    return UnitPoints(
        places=embedded.places,
        layer=layer,
        index=index,
        network=network,
        z=atlas.maps[shown, embedded.units],
    )


def network_points(atlas_id: str, z: float | None, *, by: str) -> NetworkPoints:
    """Return the placed networks; `by` is ``"maps"`` or ``"courses"``."""
    embedded, atlas = _embedding(atlas_id), resources.atlas(atlas_id)
    return NetworkPoints(
        places=embedded.networks_by_map if by == "maps" else embedded.networks_by_course,
        names=names(atlas_id),
        sizes=sizes(atlas_id, z),
        domain_of=atlas.domain_share().argmax(axis=1).tolist(),
        domains=atlas.domain_names,
    )


@cached(max_entries=16)
def sizes(atlas_id: str, z: float | None) -> NDArray[np.int64]:
    """Return how many units each network has, by members or beyond |z|: (K,)."""
    return np.asarray(resources.atlas(atlas_id).membership(z=z).sum(axis=1))


def names(atlas_id: str) -> list[str]:
    """Return the names of the networks."""
    return resources.network_names(atlas_id)


def unit_table(atlas_id: str, z: float | None, rows: list[int]) -> pd.DataFrame:
    """Return placed units by network and strength: unit, layer, index, network, name, z."""
    points, embedded = unit_points(atlas_id, z), _embedding(atlas_id)
    chosen_rows = np.asarray(sorted(set(rows)), dtype=np.int64)
    network_names = np.array([*names(atlas_id), "none"], dtype=object)
    frame = pd.DataFrame(
        {
            "unit": embedded.units[chosen_rows],
            "layer": points.layer[chosen_rows],
            "index": points.index[chosen_rows],
            "network": points.network[chosen_rows],
            "name": network_names[points.network[chosen_rows]],
            "z": points.z[chosen_rows].round(2),
        }
    )
    order = frame["z"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def neighbours(atlas_id: str, network: int, *, by: str, n: int = 7) -> list[int]:
    """Return the networks nearest to one in the plane, nearest first."""
    embedded = _embedding(atlas_id)
    places = embedded.networks_by_map if by == "maps" else embedded.networks_by_course
    distances = np.linalg.norm(places - places[network], axis=1)
    distances[network] = np.inf
    return [int(k) for k in np.argsort(distances, kind="stable")[: min(n, len(places) - 1)]]
