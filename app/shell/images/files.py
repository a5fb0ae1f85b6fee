"""Cached images of an atlas as the browser gets them: NIfTI bytes, and a still picture."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from app.figures import nilearn_plots, stills
from app.figures.theme import READING_ROOM
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas import cortex
from fnprune_core.atlas.images import anatomy, volumes
from fnprune_core.atlas.images.voxels import VoxelGrid, grid_of


def version(id: str) -> str:
    """Return what changes when an atlas with this id is made anew, or its units are laid out."""
    has_cortex = cortex.has_cortex(resources.workspace(), id)
    text = f"{id} {resources.made_ns(id)} {cortex.cortex_id(id) if has_cortex else 'index'}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grid(id: str) -> VoxelGrid:
    """Return the voxel of each unit of an atlas."""
    return _grid(id, version(id))


@cached(max_entries=2)
def _grid(id: str, version: str) -> VoxelGrid:
    return grid_of(resources.atlas(id).layout, resources.cortex(id))


def layers(id: str) -> list[int]:
    """Return the layer in each horizontal slice of an atlas's images, the lowest first."""
    units = grid(id).unit_of_voxel
    layer_of_unit = resources.atlas(id).layout.layer_of_unit
    return [int(layer_of_unit[units[:, :, z].max()]) for z in range(units.shape[2])]


@cached(max_entries=2)
def activity(id: str, version: str) -> NDArray[np.float32]:
    """Return how active each unit of an atlas is, for its anatomy."""
    atlas = resources.atlas(id)
    return anatomy.typical_activity(atlas.maps, atlas.layout)


@cached(max_entries=4)
def anatomy_file(id: str, version: str) -> bytes:
    """Return the grey anatomy of an atlas as a ``.nii.gz`` file."""
    image = anatomy.anatomy_image(activity(id, version), grid(id), note=f"anatomy of {id}")
    return volumes.compressed(image)


@cached(max_entries=2)
def body(id: str, version: str) -> stills.Body:
    """Return the grey body of an atlas, for still pictures."""
    return stills.body_of(activity(id, version), grid(id))


@cached(max_entries=512)
def thumbnail(id: str, network: int, version: str, *, z: float) -> bytes:
    """Return the layer of a network's peak, with its map on the grey, as a small WebP."""
    atlas = resources.atlas(id)
    shown = stills.map_overlay(
        body(id, version),
        atlas.maps[atlas.check_network(network)],
        threshold=z,
        limit=max(resources.colour_limit(id, z), 1.01 * z),
        palette=READING_ROOM,
    )
    return stills.thumbnail(body(id, version), shown, READING_ROOM)


@cached(max_entries=64)
def map_file(id: str, network: int, version: str) -> bytes:
    """Return a network's map as a ``.nii.gz`` file, to a 65,535th of its range."""
    atlas = resources.atlas(id)
    values = np.asarray(atlas.maps[atlas.check_network(network)], dtype=np.float32)
    image = volumes.image(grid(id), values, note=f"network {network} of {id}")
    image.set_data_dtype(np.int16)  # nibabel scales what it writes
    return volumes.compressed(image)


@cached(max_entries=16)
def still(id: str, network: int, version: str, *, z: float, limit: float, pole: int) -> bytes:
    """Return a network's map on the anatomy as nilearn draws it, as PNG."""
    atlas = resources.atlas(id)
    values = np.asarray(atlas.maps[atlas.check_network(network)], dtype=np.float32)
    if pole:
        values = np.where(np.sign(values) == pole, values, np.float32(0))
    return nilearn_plots.on_anatomy(
        volumes.image(grid(id), values),
        anatomy.anatomy_image(activity(id, version), grid(id)),
        threshold=z,
        limit=limit,
        palette=READING_ROOM,
    )
