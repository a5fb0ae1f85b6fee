"""Cached data of the Parcellation page: colours of networks, and sizes of parcels."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.atlas.parcellation.figures import Look
from app.figures.theme import Mode
from app.shell import resources
from app.shell.caches import atlas_maps
from app.shell.caches.colours import network_colours
from app.shell.caching import cached


def look(id: str, mode: Mode, *, only: int | None = None) -> Look:
    """Return how an atlas's networks look, with the names that they have now."""
    names = resources.network_names(id)
    return Look(colours=network_colours(id, mode), names=tuple(names), only=only)


@cached(max_entries=8)
def parcel_table(id: str, z: float | None) -> pd.DataFrame:
    """Return one row per network, with its units by layer as a list."""
    atlas = resources.atlas(id)
    table = atlas.parcel_table(z=z)
    return table.assign(by_layer=[row.tolist() for row in atlas.parcel_sizes(z=z)])


@cached(max_entries=4)
def by_layer(id: str, z: float | None) -> NDArray[np.int64]:
    """Return each unit's network by layer: -1 in none, -2 beyond a layer's end."""
    return atlas_maps.parcels(id, z)
