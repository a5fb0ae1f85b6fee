"""The grey anatomy: a value of each unit, drawn so that it lies under a map as tissue does.

Usually how active the unit is; its output weights or its part in attention sinks can be drawn too.

For the eye alone. Its contrast is data; the smoothing, the bright rim and what closes the body at
both ends are drawing.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from fnprune_core.atlas.images.voxels import VoxelGrid, closing_widths
from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.layout import UnitLayout

#: Millimetres over which tissue is smoothed: its grain, and its larger folds.
GRAIN_MM, FOLD_MM = 3.0, 8.0
_GRAIN_SHARE = 0.7  # of the tissue's contrast
CONTRAST = 0.75
#: Empty voxels around the body, beyond what closes it, so that it ends in the dark.
MARGIN = 2
_RIM_MM = 2.6
_RIM, _RIM_SHARE, _BRIGHTEST = 0.95, 0.8, 255
#: Grey of the median, and how far others leave it at most: nothing inside is as dark as outside.
_TISSUE, _SWING = 0.52, 0.3


@dataclass(frozen=True, slots=True)
class Margins:
    """Voxels of an anatomy around those of the maps: on each side, below and above them."""

    side: int
    below: int
    above: int

    @property
    def low(self) -> tuple[int, int, int]:
        """Place in the anatomy of the first voxel of the maps."""
        return self.side, self.side, self.below

    def inside(self, shape: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        """Return where maps of this shape lie in the anatomy."""
        across, front, up = (
            slice(low, low + size) for low, size in zip(self.low, shape, strict=True)
        )
        return across, front, up


def margins(n_layers: int) -> Margins:
    """Return how much larger the anatomy of a body is than its maps."""
    below, above = closing_widths(n_layers)
    return Margins(MARGIN, MARGIN + len(below), MARGIN + len(above))


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
    return ranks_in_layers(power, layout)


def ranks_in_layers(values: NDArray[np.floating], layout: UnitLayout) -> NDArray[np.float32]:
    """Return each unit's rank in its layer, from 0 to 1; ties share one: (n_units,)."""
    if not np.isfinite(values).all():
        raise NonFiniteError("A unit's value is no number.", hint="Record the model again.")
    return np.concatenate([_ranks(part) for part in layout.split(np.asarray(values, np.float64))])


def outliers_in_layers(values: NDArray[np.floating], layout: UnitLayout) -> NDArray[np.float32]:
    """Return how far each unit's value stands out in its layer, from 0 to 1: (n_units,).

    The logarithm of its ratio to the layer's median, over that of the largest; at or below the
    median 0. Of sink units, a few are thousands of times larger than the rest, which ranks would
    hide.

    Parameters
    ----------
    values : ndarray (n_units,)
        Non-negative, such as a recording's largest |activation| on the first tokens of windows.
    """
    if not (np.isfinite(values).all() and (np.asarray(values) >= 0).all()):
        raise NonFiniteError(
            "A unit's value is negative or no number.", hint="Record the model again."
        )
    parts = []
    for part in layout.split(np.asarray(values, dtype=np.float64)):
        above = np.log(np.maximum(part, 1e-30) / max(float(np.median(part)), 1e-30)).clip(min=0)
        parts.append(above / above.max() if above.max() > 0 else above)
    return np.concatenate(parts).astype(np.float32)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float32]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middle[place] / max(len(values) - 1, 1), dtype=np.float32)


def anatomy(values: NDArray[np.floating], grid: VoxelGrid) -> NDArray[np.uint8]:
    """Return the grey body of values of units, closed at both ends, in `margins` of dark.

    What closes it holds no units: it is of the median's grey.

    Parameters
    ----------
    values : ndarray (n_units,)
        From 0, dark, to 1, bright, as `typical_activity` gives.

    Returns
    -------
    ndarray (columns + 2 · side, rows + 2 · side, layers + below + above)
        0 outside the body; inside from 1 to 255.
    """
    around = margins(grid.shape[2])
    widths = ((around.side,) * 2,) * 2 + ((around.below, around.above),)
    has_unit = np.pad(grid.unit_of_voxel >= 0, widths)
    tissue = np.pad(grid.volume(np.asarray(values, dtype=np.float32)), widths)
    body = _closed(has_unit, grid.shape[2], around)
    tissue[body & ~has_unit] = np.median(tissue[has_unit])
    millimetres = np.abs(np.diag(grid.affine)[:3])

    def blurred(volume: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(volume, sigma / millimetres))

    within = body.astype(np.float32)

    def contrast(sigma: float) -> NDArray[np.float32]:
        # Divided by how much of the kernel lies in the body: its edge would be dark otherwise.
        smooth = blurred(tissue, sigma) / np.where(body, blurred(within, sigma), 1.0)
        spread = float(smooth[has_unit].std())
        # What is all the same differs by rounding alone.
        about_median = smooth - np.median(smooth[has_unit])
        return np.asarray(about_median / (spread if spread > 1e-4 else 1.0), dtype=np.float32)

    mixed = _GRAIN_SHARE * contrast(GRAIN_MM) + (1 - _GRAIN_SHARE) * contrast(FOLD_MM)
    grey = _TISSUE + _SWING * np.tanh(CONTRAST * mixed)  # no hard edge where it ends
    # About 1 at a flat edge, 0 inside.
    rim = _RIM_SHARE * np.clip(2.0 * (1.0 - blurred(within, _RIM_MM)), 0.0, 1.0) ** 2
    levels = np.rint(_BRIGHTEST * (grey * (1.0 - rim) + _RIM * rim))
    return np.where(body, np.clip(levels, 1, _BRIGHTEST), 0).astype(np.uint8)


def _closed(has_unit: NDArray[np.bool_], n_layers: int, around: Margins) -> NDArray[np.bool_]:
    """Return the body with slices beyond the first and the last, each narrower than the one before.

    Each is the shape of that layer, drawn smaller about the middle.
    """
    body = has_unit.copy()
    middle = (np.array(body.shape[:2]) - 1) / 2
    ends = ((around.below, -1), (around.below + n_layers - 1, 1))
    for widths, (end, step) in zip(closing_widths(n_layers), ends, strict=True):
        shape = has_unit[:, :, end].astype(np.float32)
        for number, width in enumerate(widths.tolist(), start=1):
            scale = 1 / width
            smaller = affine_transform(shape, [scale, scale], offset=middle * (1 - scale), order=1)
            body[:, :, end + step * number] = smaller > 0.5
    return body


def anatomy_image(
    values: NDArray[np.floating], grid: VoxelGrid, *, note: str = ""
) -> nib.Nifti1Image:
    """Return `anatomy` as a NIfTI image in the same space as the maps of `grid`."""
    affine = grid.affine
    affine[:3, 3] -= affine[:3, :3] @ np.array(margins(grid.shape[2]).low, dtype=float)
    nifti = nib.Nifti1Image(anatomy(values, grid), affine)
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = note.encode("ascii", "replace")[:79]
    nifti.header["cal_max"] = _BRIGHTEST
    nifti.set_sform(affine, code="aligned")
    nifti.set_qform(affine, code="aligned")
    return nifti
