"""Where things are in the body, in nominal millimetres: networks, for cross-hairs and nodes."""

import numpy as np
from nibabel.affines import apply_affine

from app.figures.nilearn_plots import Place, largest_cluster
from app.shell import resources
from app.shell.caching import cached
from app.shell.images import files
from fnprune_core.atlas.images import smoothing, volumes

#: Of a map's own largest |z|, where nothing is beyond the threshold.
_HALF = 0.5


def of_network(id: str, network: int, *, z: float, pole: int = 0) -> Place:
    """Return the middle of a network's largest cluster beyond z in the smoothed map.

    Parameters
    ----------
    pole : int
        1 or −1 for the clusters of one sign, 0 for both.
    """
    return _of_network(id, network, z, pole, files.version(id))


@cached(max_entries=256)
def _of_network(id: str, network: int, z: float, pole: int, version: str) -> Place:
    atlas, grid = resources.atlas(id), files.grid(id)
    values = np.asarray(atlas.maps[network], dtype=np.float32)
    volume = smoothing.smoothed(values, grid, fwhm=smoothing.USUAL_FWHM)
    part = np.maximum(pole * volume, 0) if pole else volume
    highest = float(np.abs(part).max())
    threshold = z if z < highest else _HALF * highest
    image = volumes.volume_image(grid, part)
    return largest_cluster(image, threshold=threshold)


def of_networks(id: str, *, z: float) -> tuple[Place, ...]:
    """Return the middle of the largest cluster of each network, as of `of_network`."""
    return _of_networks(id, z, files.version(id))


@cached(max_entries=4, spinner="Looking for the networks")
def _of_networks(id: str, z: float, version: str) -> tuple[Place, ...]:
    return tuple(of_network(id, k, z=z) for k in range(resources.atlas(id).n_networks))


def of_unit(id: str, unit: int) -> Place:
    """Return where a unit is."""
    grid = files.grid(id)
    x, y, z = apply_affine(grid.affine, grid.voxel_of_unit[unit]).tolist()
    return x, y, z
