"""The sheet of a layer: an egg of cells, one for each of its units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BREADTH = 0.78  # of an egg's length, as an axial cut of a brain is
TAPER = 0.22  # how much narrower the front is than the middle, and the back wider


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetShape:
    """Rows and columns around a layer's sheet; cells outside the egg stay empty."""

    n_rows: int
    n_columns: int

    @property
    def n_cells(self) -> int:
        """Cells of the rectangle around a sheet, the empty ones too."""
        return self.n_rows * self.n_columns


def sheet_shape(width: int) -> SheetShape:
    """Return the rows and columns around the egg of `width` cells: both odd."""
    half = int(np.sqrt(width)) + 2
    y, x = _inmost(width, half, half)
    return SheetShape(n_rows=2 * int(np.abs(y).max()) + 1, n_columns=2 * int(np.abs(x).max()) + 1)


def sheet_cells(width: int, shape: SheetShape) -> NDArray[np.int64]:
    """Return the row-major cells of a layer of `width` units, in order: an egg in the middle.

    The eggs of all layers have one centre and one size of cell, so that a narrow layer is a
    smaller egg inside the sheet of the widest.
    """
    y, x = _inmost(width, shape.n_rows // 2, shape.n_columns // 2)
    cells = (y + shape.n_rows // 2) * shape.n_columns + x + shape.n_columns // 2
    return np.sort(cells).astype(np.int64)


def _inmost(
    width: int, half_rows: int, half_columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column, 0 in the middle, of the `width` cells that are inmost in an egg."""
    y, x = np.mgrid[-half_rows : half_rows + 1, -half_columns : half_columns + 1]
    half_length = np.sqrt(width / (np.pi * BREADTH))
    across = x * (1 + TAPER * y / half_length) / BREADTH
    radius = np.hypot(across, y).ravel()
    chosen = np.argsort(radius, kind="stable")[:width]
    return y.ravel()[chosen], x.ravel()[chosen]
