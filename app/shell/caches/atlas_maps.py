"""Cached maps of an atlas: in the volume of its cortex, as parcels, and where their colours end."""

import numpy as np
from numpy.typing import NDArray

from app.figures import raster
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas import thresholds
from fnprune_core.atlas.thresholds import Magnitudes


@cached(max_entries=8)
def volume(id: str, network: int) -> NDArray[np.float32] | None:
    """Return a network's z on the cortex, (layers, rows, columns), or None without a cortex."""
    atlas_cortex = resources.cortex(id)
    return None if atlas_cortex is None else atlas_cortex.volume(resources.atlas(id).maps[network])


@cached(max_entries=2)
def unit_indices(id: str) -> NDArray[np.int64] | None:
    """Return the index in its layer of the unit in each cell of the cortex, -1 where empty."""
    atlas_cortex = resources.cortex(id)
    if atlas_cortex is None:
        return None
    offsets = atlas_cortex.layout.offsets[:-1, None, None]
    units = atlas_cortex.unit_volume()
    return np.where(units >= 0, units - offsets, -1)


@cached(max_entries=4)
def parcels(id: str, z: float | None) -> NDArray[np.int64]:
    """Return each unit's network by layer: -1 in none, -2 beyond a layer's end."""
    loaded_atlas = resources.atlas(id)
    return raster.by_layer(loaded_atlas.parcellation(z=z), loaded_atlas.layout.widths, fill=-2)


def grouping(id: str) -> NDArray[np.int64]:
    """Return each unit's strongest network, however weak, by layer: an order that means something.

    A unit's index does not; grouped like this, a network is a tract across the layers.
    """
    return parcels(id, 0.0)


@cached(max_entries=4)
def _magnitudes(id: str) -> Magnitudes:
    return Magnitudes.of(resources.atlas(id).maps)


def colour_limit(id: str, z: float) -> float:
    """Return the |z| of the strongest colour, the same for all networks of an atlas."""
    return _magnitudes(id).colour_limit(z)


def own_limit(id: str, z: float, network: int) -> float:
    """Return the |z| of the strongest colour of a network by itself."""
    return thresholds.colour_limit(resources.atlas(id).maps[network], z)
