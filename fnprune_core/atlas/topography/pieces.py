"""Pieces of a map in the volume of a cortex, and choices that lie far from one another."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label


def largest_piece(volume: NDArray[np.floating], level: float) -> tuple[float, NDArray[np.float64]]:
    """Return the share of the cells above a level that hang together, and their centre.

    Returns
    -------
    float, ndarray (3,)
        Of the largest piece; its centre (layer, row, column) as shares of the volume's sides.
    """
    is_above = volume > level
    pieces, n = label(is_above)
    if not n:
        return 0.0, np.full(3, 0.5)
    sizes = np.bincount(pieces.ravel())[1:]
    cells = np.argwhere(pieces == int(sizes.argmax()) + 1)
    return float(sizes.max() / is_above.sum()), (cells.mean(axis=0) + 0.5) / volume.shape


def far_apart(distances: NDArray[np.floating], n: int) -> list[int]:
    """Return `n` things far from one another: the first, then in turn the farthest from those.

    Parameters
    ----------
    distances : ndarray (n_things, n_things)
    """
    chosen: list[int] = [0] if len(distances) else []
    while len(chosen) < min(n, len(distances)):
        chosen.append(int(distances[:, chosen].min(axis=1).argmax()))
    return chosen
