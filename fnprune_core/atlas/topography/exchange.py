"""Exchanges of places within sheets, until every unit resembles its neighbours.

The units of some cells of a layer are given to these cells anew, all at once and at best: a linear
assignment. It is exact where no two of the cells touch, as the fields of one colour of a
chessboard do not: then what a unit gains in a cell depends on the neighbours of the cell alone.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from fnprune_core.atlas.topography.laid_out import Refinement
from fnprune_core.atlas.topography.likeness import BESIDE, STRONG
from fnprune_core.machine.threads import one_thread
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore

_REACH = 2.0  # sigmas at which a surrounding ends
_MOST_EXPONENT = 30.0
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def exchange(
    units: Integers,
    maps: NDArray[np.floating],
    *,
    refinement: Refinement,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Integers:
    """Return the units in each cell after exchanges within their layers.

    O(rounds · units · K · n_together); memory: units × 4 K in float32, and a layer's a thread.
    The same for a seed, whatever the number of threads.

    Parameters
    ----------
    units : ndarray (n_layers, rows, columns)
        Flat unit in each cell, −1 where empty.
    maps : ndarray (K, n_units)
        z maps.
    """
    sheets = _Sheets(units.copy(), _features(maps, refinement), refinement, seed)
    n_layers, n_rows, _ = units.shape
    first = max(refinement.first_sigma * n_rows, refinement.last_sigma)
    sigmas = np.geomspace(first, refinement.last_sigma, refinement.n_blurred)

    def all_layers(number: int, step: Callable[[int], None]) -> None:
        def one(layer: int) -> None:
            cancel.raise_if_cancelled()
            step(layer)

        done = ProgressEvent(stage="cortex", done=number, total=refinement.n_rounds, unit="rounds")
        progress(done)
        with one_thread():  # a product: the threads here are layers
            list(pool.map(one, range(n_layers)))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for number, sigma in enumerate(sigmas.tolist()):
            before = sheets.units.copy()
            step = partial(sheets.blurred, before=before, sigma=sigma, number=number)
            all_layers(number, step)
        for number in range(refinement.n_blurred, refinement.n_rounds):
            all_layers(number, partial(sheets.exact, number=number))
    progress(
        ProgressEvent(
            stage="cortex", done=refinement.n_rounds, total=refinement.n_rounds, unit="rounds"
        )
    )
    return sheets.units


@dataclass(frozen=True, slots=True, eq=False)
class _Sheets:
    """The units in all cells, changed in place, layer by layer.

    Parameters
    ----------
    features : ndarray (n_units + 1, 4 K)
        In the last row 0, for empty cells. What a unit gains from a neighbour is the product of
        its features with the neighbour's, the first two quarters of which are swapped.
    """

    units: Integers
    features: Floats
    refinement: Refinement
    seed: int

    def blurred(self, layer: int, before: Integers, sigma: float, number: int) -> None:
        """Exchange units of a layer by what was around each cell, blurred."""
        depth = self.refinement.depth_sigma
        reach = int(_REACH * depth + 0.5)
        around = np.zeros((*before.shape[1:], self.features.shape[1]), dtype=np.float32)
        for other in range(max(layer - reach, 0), min(layer + reach + 1, len(before))):
            weight = np.float32(np.exp(-(((other - layer) / depth) ** 2) / 2))
            around += weight * self.features[before[other]]
        # Beyond the rim there is nothing to resemble: strong units are drawn inwards.
        around = gaussian_filter(around, sigma=(sigma, sigma, 0), mode="constant", truncate=_REACH)
        rows, columns = np.nonzero(before[layer] >= 0)
        self._assign(layer, rows, columns, around[rows, columns], number)

    def exact(self, layer: int, number: int) -> None:
        """Exchange units of every second cell of a layer by the six neighbours of each."""
        rows, columns = np.nonzero(self.units[layer] >= 0)
        is_chosen = (rows + columns + layer) % 2 == number % 2
        rows, columns = rows[is_chosen], columns[is_chosen]
        sheet = np.pad(self.units[layer], 1, constant_values=-1)
        around = self.features[sheet[rows, columns + 1]]
        for row, column in ((rows + 2, columns + 1), (rows + 1, columns), (rows + 1, columns + 2)):
            around += self.features[sheet[row, column]]
        for other in (layer - 1, layer + 1):
            if 0 <= other < len(self.units):
                around += self.features[self.units[other, rows, columns]]
        self._assign(layer, rows, columns, around, number)

    def _assign(
        self, layer: int, rows: Integers, columns: Integers, around: Floats, number: int
    ) -> None:
        """Give the units of these cells to them anew, a random group at a time."""
        rng = np.random.default_rng([self.seed, number, layer])
        n_groups = max(1, round(len(rows) / self.refinement.n_together))
        quarter = around.shape[1] // 4
        swapped = np.roll(around[:, : 2 * quarter], quarter, axis=1)
        for group in np.array_split(rng.permutation(len(rows)), n_groups):
            row, column = rows[group], columns[group]
            members = self.units[layer, row, column]
            own = self.features[members]
            gain = swapped[group] @ own[:, : 2 * quarter].T
            gain += around[group, 2 * quarter :] @ own[:, 2 * quarter :].T
            cells, chosen = linear_sum_assignment(gain, maximize=True)
            self.units[layer, row[cells], column[cells]] = members[chosen]


def _features(maps: NDArray[np.floating], refinement: Refinement) -> Floats:
    """Return what units are compared by: (n_units + 1, 4 K), strong, beside, |z| and z."""
    n_networks, n_units = maps.shape
    features = np.zeros((n_units + 1, 4, n_networks), dtype=np.float32)
    n_strong = max(int((np.abs(maps) > STRONG).sum()), 1)
    # Each weight's part is a mean: over pairs of neighbours, or over those of strong units.
    strong = np.sqrt(refinement.strong / (6 * n_strong))
    pairs = np.sqrt(np.array([refinement.magnitude, refinement.signed]) / maps.size / 3)
    scale = np.sqrt(n_units)  # for numbers near 1
    for k, row in enumerate(maps):
        z = np.asarray(row, dtype=np.float32)
        magnitude = np.abs(z)
        for part, threshold in enumerate((STRONG, BESIDE)):
            steps = np.clip(
                (magnitude - threshold) / refinement.softness, -_MOST_EXPONENT, _MOST_EXPONENT
            )
            features[:-1, part, k] = scale * strong * np.sign(z) / (1 + np.exp(-steps))
        for part, values in ((2, magnitude - magnitude.mean()), (3, z)):
            spread = float(values.std()) or 1.0
            features[:-1, part, k] = scale * pairs[part - 2] * values / spread
    return features.reshape(n_units + 1, 4 * n_networks)
