"""The grey anatomy: how active each unit is, drawn so that it lies under a map as tissue does.

For the eye alone. Its contrast is data, the smoothing and the bright rim are drawing.
"""

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fnprune_core.atlas.images.voxels import VoxelGrid
from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.layout import UnitLayout

SIGMA = 0.9  # of the smoothing, in voxels
CONTRAST = 1.6
#: Empty voxels around the body, so that it ends in the dark and is closed above and below.
MARGIN = 3
_RIM_SIGMA = 1.1
_RIM, _BRIGHTEST = 0.95, 255
#: Grey of the median, and how far others leave it at most: nothing inside is as dark as outside.
_TISSUE, _SWING = 0.47, 0.36


def typical_activity(maps: NDArray[np.floating], layout: UnitLayout) -> NDArray[np.float32]:
    """Return how strongly each unit takes part in all networks, as its rank in its layer.

    Parameters
    ----------
    maps : ndarray (K, n_units)
        z maps.

    Returns
    -------
    ndarray (n_units,)
        Of the sums over networks of z², ranks from 0 to 1 within the layer; ties share one.
    """
    if maps.ndim != 2 or maps.shape[1] != layout.n_units:
        raise SettingsError(
            f"The maps have the shape {maps.shape}, (networks, {layout.n_units}) was expected."
        )
    power = np.zeros(layout.n_units, dtype=np.float64)
    for row in maps:  # a map at a time: all of them squared are as large as the atlas
        power += np.square(row, dtype=np.float64)
    if not np.isfinite(power).all():
        raise NonFiniteError("A map holds a value that is no number.", hint="Decompose again.")
    return np.concatenate([_ranks(values) for values in layout.split(power)])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float32]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middle[place] / max(len(values) - 1, 1), dtype=np.float32)


def anatomy(values: NDArray[np.floating], grid: VoxelGrid) -> NDArray[np.uint8]:
    """Return the grey body of values of units, with `MARGIN` empty voxels on each side.

    Parameters
    ----------
    values : ndarray (n_units,)
        From 0, dark, to 1, bright, as `typical_activity` gives.

    Returns
    -------
    ndarray (columns + 2 · MARGIN, rows + 2 · MARGIN, layers + 2 · MARGIN)
        0 outside the body; inside from 1 to 255.
    """
    body = np.pad(grid.unit_of_voxel >= 0, MARGIN)
    filled = np.pad(grid.volume(np.asarray(values, dtype=np.float32)), MARGIN)
    # Divided by how much of the kernel lies in the body: its edge would be dark otherwise.
    weight = gaussian_filter(body.astype(np.float32), SIGMA)
    smooth = gaussian_filter(filled, SIGMA) / np.where(body, weight, 1.0)
    contrast = CONTRAST * (smooth - np.median(smooth[body]))
    tissue = _TISSUE + _SWING * np.tanh(contrast / _SWING)  # no hard edge where it ends
    depth = gaussian_filter(body.astype(np.float32), _RIM_SIGMA)
    rim = np.clip(2.0 * (1.0 - depth), 0.0, 1.0) ** 2  # about 1 at a flat edge, 0 inside
    grey = tissue * (1.0 - rim) + _RIM * rim
    levels = np.clip(np.rint(_BRIGHTEST * grey), 1, _BRIGHTEST)
    return np.where(body, levels, 0).astype(np.uint8)


def anatomy_image(
    values: NDArray[np.floating], grid: VoxelGrid, *, note: str = ""
) -> nib.Nifti1Image:
    """Return `anatomy` as a NIfTI image in the same space as the maps of `grid`."""
    affine = grid.affine
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, float(MARGIN))
    nifti = nib.Nifti1Image(anatomy(values, grid), affine)
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = note.encode("ascii", "replace")[:79]
    nifti.header["cal_max"] = _BRIGHTEST
    nifti.set_sform(affine, code="aligned")
    nifti.set_qform(affine, code="aligned")
    return nifti
