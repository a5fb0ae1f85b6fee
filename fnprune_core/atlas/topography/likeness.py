"""How alike neighbours in a volume of units are: what a layout is judged by."""

import numpy as np
from numpy.typing import NDArray

#: A unit of a network's core, and one that goes with it: what an eye takes for one region.
STRONG, BESIDE = 3.0, 1.5


def sheet_autocorrelation(volume: NDArray[np.floating]) -> float:
    """Return the mean correlation of neighbouring cells within the sheets of a volume.

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        NaN where empty.
    """
    return _neighbour_correlation(volume, axes=(1, 2))


def depth_autocorrelation(volume: NDArray[np.floating]) -> float:
    """Return the correlation of cells with the cells at the same place in the next layer."""
    return _neighbour_correlation(volume, axes=(0,))


def strong_agreement(
    volume: NDArray[np.floating], *, strong: float = STRONG, beside: float = BESIDE
) -> float:
    """Return how many of a strong unit's six neighbours go with it: a share, NaN without any.

    Of the neighbours, in the sheet and across layers, of all units with |z| above `strong`, the
    share that has |z| above `beside` and the same sign.
    """
    n_agreeing = n_neighbours = 0
    for axis in range(3):
        a, b = _neighbours(volume, axis)
        for own, other in ((a, b), (b, a)):
            is_strong = np.abs(own) > strong
            n_neighbours += int(is_strong.sum())
            goes_with = (np.abs(other) > beside) & (own * other > 0)
            n_agreeing += int((is_strong & goes_with).sum())
    return n_agreeing / n_neighbours if n_neighbours else float("nan")


def _neighbour_correlation(volume: NDArray[np.floating], *, axes: tuple[int, ...]) -> float:
    values = []
    for axis in axes:
        a, b = _neighbours(volume, axis)
        if a.size and a.std() > 0 and b.std() > 0:
            values.append(float(np.corrcoef(a, b)[0, 1]))
    return float(np.mean(values)) if values else float("nan")


def _neighbours(
    volume: NDArray[np.floating], axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of all pairs of neighbours along an axis, where neither is empty."""
    n = volume.shape[axis]
    a = np.take(volume, range(n - 1), axis=axis).ravel().astype(np.float64)
    b = np.take(volume, range(1, n), axis=axis).ravel().astype(np.float64)
    is_pair = np.isfinite(a) & np.isfinite(b)
    return a[is_pair], b[is_pair]
