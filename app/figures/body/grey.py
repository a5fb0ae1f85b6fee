"""The grey body of an atlas, and where the voxels of maps lie in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.images import anatomy
from fnprune_core.atlas.images.voxels import VoxelGrid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """The grey body, and where the voxels of maps lie in it.

    Parameters
    ----------
    grey : ndarray (columns, rows, layers)
        From 0, outside, to 1.
    low : tuple of int
        Where in `grey` the first voxel of `grid` lies.
    """

    grid: VoxelGrid
    grey: NDArray[np.float32]
    low: tuple[int, int, int]

    @property
    def millimetres(self) -> NDArray[np.float64]:
        """Sides of a voxel."""
        return np.diag(self.grid.affine)[:3]

    def placed(self, volume: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a volume of the grid's voxels among those of the body, 0 where it has none."""
        sizes = zip(self.low, volume.shape, self.grey.shape, strict=True)
        return np.pad(volume, [(low, whole - low - size) for low, size, whole in sizes])

    def size(self, axis: int) -> tuple[float, float]:
        """Return the width and height of the whole body in a cut, in millimetres."""
        box = self.box(axis)
        across, up = (a for a in range(3) if a != axis)
        sides = [side.stop - side.start for side in box]
        return sides[0] * self.millimetres[across], sides[1] * self.millimetres[up]

    def box(self, axis: int) -> tuple[slice, slice]:
        """Return where the body lies in a cut, the same for all cuts of an axis."""
        seen: NDArray[np.bool_] = np.asarray((self.grey > 0).any(axis=axis))
        sides = []
        for other in (1, 0):
            is_inside = seen.any(axis=other)
            (inside,) = np.nonzero(is_inside)
            last = min(int(inside[-1]) + 2, is_inside.size)
            sides.append(slice(max(int(inside[0]) - 1, 0), last))
        return sides[0], sides[1]

    def cut(self, volume: NDArray[np.generic], axis: int, at: int) -> NDArray[np.float32]:
        """Return one cut of a placed volume, the front or the last layer on top."""
        part = np.take(volume, at, axis)[self.box(axis)]
        return np.asarray(part, dtype=np.float32).T[::-1]


def body_of(activity: NDArray[np.floating], grid: VoxelGrid) -> Body:
    """Return the body of an atlas.

    Parameters
    ----------
    activity : ndarray (n_units,)
        As `anatomy.typical_activity` gives.
    """
    grey = anatomy.anatomy(activity, grid).astype(np.float32) / np.float32(255)
    return Body(grid=grid, grey=grey, low=anatomy.margins(grid.shape[2]).low)
