"""Cached images of an atlas as the browser gets them: NIfTI bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.shell import resources
from app.shell.caching import cached
from app.shell.images.addresses import version as version
from fnprune_core.atlas.images import anatomy as shading
from fnprune_core.atlas.images import smoothing, volumes
from fnprune_core.atlas.images.live_body import LiveBody, live_body
from fnprune_core.atlas.images.voxels import VoxelGrid, grid_of
from fnprune_core.atlas.membership import STRONG
from fnprune_core.errors import ArtifactNotFoundError, SettingsError
from fnprune_core.localizers import run
from fnprune_core.pruning import preview_files

#: The anatomy that lies below all maps unless a person chooses another.
ACTIVITY = "activity"
#: Smoothings at which the parcellation is made, in nominal millimetres.
FWHMS = (0, 2, 4, 6, 8)
_PARTS = ("labels", "strengths")


@cached(max_entries=2, made_of=version)
def grid(id: str) -> VoxelGrid:
    """Return the voxel of each unit of an atlas."""
    return grid_of(resources.atlas(id).layout, resources.cortex(id))


def layers(id: str) -> list[int]:
    """Return the layer in each horizontal slice of an atlas's images, the lowest first."""
    units = grid(id).unit_of_voxel
    layer_of_unit = resources.atlas(id).layout.layer_of_unit
    return [int(layer_of_unit[units[:, :, z].max()]) for z in range(units.shape[2])]


@cached(max_entries=2, made_of=version)
def activity(id: str) -> NDArray[np.float32]:
    """Return how active each unit of an atlas is, for its anatomy."""
    atlas = resources.atlas(id)
    return shading.typical_activity(atlas.maps, atlas.layout)


@cached(max_entries=2, made_of=version)
def anatomy_image(id: str) -> Any:
    """Return the grey anatomy of an atlas as a NIfTI image."""
    return shading.anatomy_image(activity(id), grid(id), note=f"anatomy of {id}")


@cached(max_entries=6, made_of=version)
def anatomy(id: str, grey: str = ACTIVITY) -> bytes:
    """Return a grey anatomy of an atlas, one of `greys`, as a ``.nii.gz`` file."""
    if grey in ("", ACTIVITY):
        return volumes.compressed(anatomy_image(id))
    if grey not in _GREYS:
        raise SettingsError(f"The grey is one of {(ACTIVITY, *_GREYS)}, got {grey[:40]!r}.")
    values = _GREYS[grey][1](id)
    return volumes.compressed(shading.anatomy_image(values, grid(id), note=f"{grey} of {id}"))


def _sinks(id: str) -> NDArray[np.float32]:
    atlas = resources.atlas(id)
    recording = resources.recording(atlas.decomposition.recording_id)
    return shading.outliers_in_layers(recording.dummy_max, atlas.layout)


def _weights(id: str) -> NDArray[np.float32]:
    norms = preview_files.open_norms(resources.workspace(), id)["column_norms"]
    return shading.ranks_in_layers(norms, resources.atlas(id).layout)


#: Other greys: their names, and the value of each unit.
_GREYS = {"weights": ("Output weights", _weights), "sinks": ("Attention sinks", _sinks)}


def greys(id: str) -> dict[str, str]:
    """Return the anatomies that an atlas has beside typical activity, with their names."""
    labels = {name: label for name, (label, _) in _GREYS.items()}
    if not preview_files.has_preview(resources.workspace(), id):
        del labels["weights"]  # which the preview reads from the model
    return labels


@cached(max_entries=2, made_of=version)
def units(id: str) -> bytes:
    """Return which unit is in each voxel, its flat index + 1, as a ``.nii.gz`` file."""
    numbers = np.arange(resources.atlas(id).layout.n_units, dtype=np.int32) + 1
    return volumes.compressed(volumes.image(grid(id), numbers, note=f"units of {id}"))


@cached(max_entries=64, made_of=version)
def network_map(id: str, network: int) -> bytes:
    """Return a network's map as a ``.nii.gz`` file, to a 65,535th of its range."""
    atlas = resources.atlas(id)
    values = np.asarray(atlas.maps[atlas.check_network(network)], dtype=np.float32)
    return _scaled(id, values, f"network {network} of {id}")


@cached(max_entries=16, made_of=version)
def contrast_map(id: str, localizer: str) -> bytes:
    """Return t of each unit in a localizer that was run on an atlas, as a ``.nii.gz`` file."""
    return _scaled(id, contrast(id, localizer), f"localizer {localizer}")


def contrast(id: str, localizer: str) -> NDArray[np.float32]:
    """Return t of each unit in a localizer that was run on an atlas."""
    result = run.open_localizer(resources.workspace(), localizer, match=True)
    if result.decomposition_id != id:
        raise ArtifactNotFoundError(f"The localizer {localizer} was not run on the atlas {id}.")
    return np.asarray(result.units.t, dtype=np.float32)


def _scaled(id: str, values: NDArray[np.float32], note: str) -> bytes:
    image = volumes.image(grid(id), values, note=note)
    image.set_data_dtype(np.int16)  # nibabel scales what it writes
    return volumes.compressed(image)


def parcels(id: str, fwhm: int, part: str, *, members: bool = False) -> bytes:
    """Return the parcellation of smoothed maps as a ``.nii.gz`` file.

    Parameters
    ----------
    fwhm : int
        One of `FWHMS`.
    part : str
        ``"labels"``: the strongest network + 1, or ``"strengths"``: |z| there, in hundredths.
    members : bool
        As of `strongest_networks`.
    """
    if fwhm not in FWHMS:
        raise SettingsError(f"A smoothing of {fwhm} mm was asked for, of {FWHMS} one is.")
    if part not in _PARTS:
        raise SettingsError(f"A part of the parcellation is one of {_PARTS}, got {part[:40]!r}.")
    return _parcel_files(id, fwhm, members)[part]


@cached(max_entries=6, made_of=version)
def _parcel_files(id: str, fwhm: int, members: bool) -> dict[str, bytes]:
    labels, strengths = strongest_networks(id, fwhm, members=members)
    hundredths = np.minimum(np.rint(100 * strengths), np.iinfo(np.int16).max).astype(np.int16)
    parts = {"labels": labels, "strengths": hundredths}
    # In the space of the anatomy: beyond its own, a browser would draw the outermost labels on.
    around = shading.margins(grid(id).shape[2])
    images = {
        part: volumes.volume_image(grid(id), volume, note=part, around=around)
        for part, volume in parts.items()
    }
    return {part: volumes.compressed(image) for part, image in images.items()}


@cached(max_entries=3, made_of=version)
def strongest_networks(
    id: str, fwhm: int, *, members: bool = False
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return each voxel's strongest network + 1, and its smoothed |z|.

    Parameters
    ----------
    members : bool
        Whether maps are those of members of networks alone. Where these are no stronger than the
        rule asks of a unit, there is no network then, and no further threshold is needed.
    """
    atlas = resources.atlas(id)
    maps = atlas.parcel_maps() if members else atlas.maps
    labels, strengths = smoothing.strongest_networks(maps, grid(id), fwhm=fwhm)
    if members:
        labels[strengths <= STRONG] = 0
        strengths[labels == 0] = 0
    return labels, strengths


@cached(max_entries=2, made_of=version)
def body_alive(id: str) -> LiveBody:
    """Return an atlas's body for the live scanner, in memory for its stills and files."""
    return live_body(resources.atlas(id).maps, activity(id), grid(id))


@cached(max_entries=4, made_of=version)
def live_body_bytes(id: str) -> bytes:
    """Return an atlas's body for the live scanner, as the browser reads it."""
    return body_alive(id).as_bytes()
