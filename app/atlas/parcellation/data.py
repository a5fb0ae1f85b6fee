"""Cached data of the Parcellation page: colours of networks, labelled cells, smoothed parcels."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.atlas.parcellation.figures import Look, Parcels
from app.figures.theme import Mode
from app.shell import resources
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from fnprune_core.atlas import cortex
from fnprune_core.errors import ArtifactNotFoundError


def look(id: str, mode: Mode, *, only: int | None = None) -> Look:
    """Return how an atlas's networks look, with the names that they have now."""
    names = resources.network_names(id)
    return Look(colours=network_colours(id, mode), names=tuple(names), only=only)


@cached(max_entries=2)
def _strengths(id: str) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Return strongest network, its z, and index in its layer of the unit in each cell."""
    placed, indices = resources.cortex(id), resources.unit_indices(id)
    if placed is None or indices is None:
        raise ArtifactNotFoundError(f"Atlas {id} has no cortex yet.", hint="Lay it out first.")
    label, value = resources.atlas(id).strongest
    volume = placed.volume(label.astype(np.float32), fill=-2).astype(np.int32)
    return volume, placed.volume(value), indices


@cached(max_entries=4)
def parcels(id: str, z: float) -> Parcels:
    """Return the labelled cells of the cortex at a threshold."""
    label, strength, unit = _strengths(id)
    is_weak = (label >= 0) & ~(np.abs(np.nan_to_num(strength)) > z)
    return Parcels(label=np.where(is_weak, -1, label), strength=strength, unit=unit)


@cached(max_entries=64)
def soft_parcel(id: str, z: float, network: int) -> NDArray[np.float32]:
    """Return the share of each cell's neighbourhood that belongs to a network: for surfaces."""
    return cortex.smoothed((parcels(id, z).label == network).astype(np.float32))


@cached(max_entries=8)
def parcel_table(id: str, z: float) -> pd.DataFrame:
    """Return one row a network, with its units by layer as a list."""
    atlas = resources.atlas(id)
    table = atlas.parcel_table(z=z)
    return table.assign(by_layer=[row.tolist() for row in atlas.parcel_sizes(z=z)])


@cached(max_entries=4)
def by_layer(id: str, z: float) -> NDArray[np.int64]:
    """Return each unit's network by layer: -1 in none, -2 beyond a layer's end."""
    return resources.parcels(id, z)
