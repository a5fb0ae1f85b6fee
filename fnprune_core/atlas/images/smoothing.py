"""Smoothing for the eye, as the viewer does it in the browser: of maps, and of whole atlases.

Thresholds, counts and tables are of single units, never of what is made here.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fnprune_core.atlas.images.voxels import VoxelGrid
from fnprune_core.errors import SettingsError

MOST_FWHM = 8.0
#: The viewer's, until a person sets another.
USUAL_FWHM = 4.0
_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
_REACH = 3.0  # sigmas, beyond which the kernel is 0


def smoothed(values: NDArray[np.floating], grid: VoxelGrid, *, fwhm: float) -> NDArray[np.float32]:
    """Return a map as a smoothed volume, scaled back to the spread that it had.

    Parameters
    ----------
    values : ndarray (n_units,)
    fwhm : float
        Of the Gaussian, in nominal millimetres; 0 for none.

    Returns
    -------
    ndarray (columns, rows, layers)
        0 where no unit is.
    """
    raw = grid.volume(np.asarray(values, dtype=np.float32))
    out = _filtered(raw, grid, fwhm)
    is_part = raw != 0
    after = float(np.square(out[is_part], dtype=np.float64).sum())
    scale = np.sqrt(float(np.square(raw, dtype=np.float64).sum()) / after) if after else 1.0
    return np.where(grid.unit_of_voxel >= 0, out * np.float32(scale), np.float32(0))


def _filtered(volume: NDArray[np.float32], grid: VoxelGrid, fwhm: float) -> NDArray[np.float32]:
    if not 0 <= fwhm <= MOST_FWHM:
        raise SettingsError(f"A smoothing of {fwhm:g} mm was asked for, 0 to {MOST_FWHM:g} is.")
    if not fwhm:
        return volume
    sigma = fwhm * _SIGMA_PER_FWHM / np.diag(grid.affine)[:3]
    return np.asarray(
        gaussian_filter(volume, sigma, mode="constant", truncate=_REACH), dtype=np.float32
    )


def strongest_networks(
    maps: Iterable[NDArray[np.floating]], grid: VoxelGrid, *, fwhm: float
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return each voxel's strongest network of smoothed maps, and how strong it is there.

    Parameters
    ----------
    maps : ndarray (K, n_units), or iterable of ndarray (n_units,)
        z maps, such as `NetworkAtlas.parcel_maps`.
    fwhm : float
        As of `smoothed`; 0 gives the parcellation of single units.

    Returns
    -------
    labels : ndarray (columns, rows, layers)
        Network + 1, 0 where there is no unit.
    strengths : ndarray (columns, rows, layers)
        |z| of that network, smoothed. One map at a time is held: O(K · voxels).
    """
    strengths = np.zeros(grid.shape, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.int16)
    for network, values in enumerate(maps):
        magnitude = np.abs(smoothed(values, grid, fwhm=fwhm))
        is_stronger = magnitude > strengths
        labels[is_stronger] = network + 1
        strengths[is_stronger] = magnitude[is_stronger]
    return labels, strengths


def units_under(
    grid: VoxelGrid, voxel: tuple[int, int, int], *, fwhm: float, n: int = 12
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the units that a smoothed voxel is made of, and the share of each, largest first.

    Parameters
    ----------
    voxel : (int, int, int)
        Of the grid.
    n : int
        At most so many.

    Returns
    -------
    units : ndarray (n,)
    shares : ndarray (n,)
        Of the kernel's weight that lies in the body; they add up to 1 over all units.
    """
    units = grid.unit_of_voxel
    if not all(0 <= at < size for at, size in zip(voxel, units.shape, strict=True)):
        return np.empty(0, dtype=np.int64), np.empty(0)
    sigma = np.maximum(fwhm * _SIGMA_PER_FWHM / np.diag(grid.affine)[:3], 1e-6)
    reach = np.ceil(_REACH * sigma).astype(int)
    box = tuple(
        slice(max(at - r, 0), at + r + 1) for at, r in zip(voxel, reach.tolist(), strict=True)
    )
    places = np.indices(units[box].shape).reshape(3, -1).T + [part.start for part in box]
    weight = np.exp(-0.5 * np.square((places - voxel) / sigma).sum(axis=1))
    found = units[box].ravel()
    is_unit = (found >= 0) & (weight > 0)
    under, index = np.unique(found[is_unit], return_inverse=True)
    sums = np.asarray(np.bincount(index, weight[is_unit], minlength=len(under)), dtype=np.float64)
    shares = sums / max(float(sums.sum()), 1e-12)
    order = np.argsort(-shares, kind="stable")[:n]
    return np.asarray(under[order], dtype=np.int64), shares[order]
