"""Where networks lie in the plane, and sheets that are filled by it."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.manifold import MDS

from fnprune_core.decomposition.stability import absolute_correlation

SHARPNESS = 8.0


def network_places(maps: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.float64]:
    """Return a place in the unit square for each network, near those with similar maps: (K, 2).

    Multidimensional scaling of 1 − |r| between |maps|, spread over a square grid by linear
    assignment, so that no two networks crowd the same place.
    """
    n_networks = len(maps)
    side = int(np.ceil(np.sqrt(n_networks)))
    ticks = (np.arange(side, dtype=np.float64) + 0.5) / side
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    if n_networks < 3:
        return np.asarray(grid[:n_networks], dtype=np.float64)
    distance = 1.0 - absolute_correlation(np.abs(maps), np.abs(maps))
    np.fill_diagonal(distance, 0.0)
    embedding = MDS(
        n_components=2,
        metric="precomputed",
        init="classical_mds",
        n_init=1,
        random_state=seed,
        normalized_stress=False,
    ).fit_transform((distance + distance.T) / 2)
    low, high = embedding.min(axis=0), embedding.max(axis=0)
    scaled = (embedding - low) / np.where(high > low, high - low, 1.0)
    cost = np.square(scaled[:, None, :] - grid[None, :, :]).sum(axis=-1)
    _, columns = linear_sum_assignment(cost)
    return np.asarray(grid[columns], dtype=np.float64)


def unit_targets(
    maps: NDArray[np.floating], places: NDArray[np.float64], *, sharpness: float = SHARPNESS
) -> NDArray[np.float64]:
    """Return each unit's target: the mean of the networks' places weighted by |z|^sharpness."""
    weights = np.abs(maps).astype(np.float64)
    weights /= np.maximum(weights.max(axis=0, keepdims=True), 1e-12)
    weights **= sharpness
    total = weights.sum(axis=0)
    targets = places.T @ weights / np.where(total > 0, total, 1.0)
    return np.where(total > 0, targets, 0.5).T


def fill_sheet(
    targets: NDArray[np.float64], cells: NDArray[np.int64], n_columns: int
) -> NDArray[np.int64]:
    """Return a cell for each unit of a layer by sorting: columns by x, then rows by y.

    O(width log width). Each unit gets one of `cells`, near its target's rank.

    Parameters
    ----------
    targets : ndarray (width, 2)
        As (x, y).
    cells : ndarray (width,)
        Row-major cells of the sheet.
    n_columns : int
        Of the sheet.
    """
    rows, columns = np.divmod(cells, n_columns)
    by_column = np.lexsort((rows, columns))
    sizes = np.bincount(columns, minlength=n_columns)
    column_of_rank = np.repeat(np.arange(n_columns), sizes)
    by_x = np.argsort(targets[:, 0], kind="stable")
    column_of_unit = np.empty(len(targets), dtype=np.int64)
    column_of_unit[by_x] = column_of_rank
    filled = np.empty(len(targets), dtype=np.int64)
    filled[np.lexsort((targets[:, 1], column_of_unit))] = cells[by_column]
    return filled
