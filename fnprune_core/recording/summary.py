"""What is kept of a recording in place of its signals, and what follows from it.

Signals z, each unit centred and scaled by the recording's mean and deviation, are read once to find
the leading group components of all sessions, and once more to be projected onto them. Kept are

- a basis (r, alive units) of the components and the constant, and the components in it;
- each token's projections on the basis, from which time courses follow exactly;
- Σ p zᵀ over usable tokens: with the projections, each unit's least squares on them;
- Σ z zᵀ over usable tokens, by layer (see `gram_file`);
- the signals of dummy tokens, which are few and far from all others;
- the moments of each session, as any recording keeps them.

Moments and Gram matrices of usable tokens that count alike are then exact. Where tokens count
differently, the part of a signal that the components hold counts as its tokens do; the rest, which
is uncorrelated with it, counts as the mean over tokens, of a session for moments and of the
recording for Gram matrices.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.deviations import Deviations
from fnprune_core.recording.gram_file import GramFile, blocks_of_rows, n_stored
from fnprune_core.recording.group_pca import leading_rows, sizes_for
from fnprune_core.recording.moments import SessionMoments, open_array
from fnprune_core.storage.checksums import checked
from fnprune_core.texts.windows import Windows

DUMMY = "dummy.f16"
GROUP, BASIS = "group.f4", "basis.f4"
PROJECTIONS, PRODUCTS = "projections.f4", "products.f4"
GRAM = "gram_upper.f4"
_FLOAT = 4
_UNITS_AT_ONCE = 1 << 15
_DUMMIES_AT_ONCE = 1024
_LEAST_SHARE = 1e-12  # of the largest eigenvalue: what is below is rounding


def sizes_of(windows: Windows, most_networks: int, n_units: int) -> tuple[int, int]:
    """Return the most rows that a summary's basis has, and how many components lie in it."""
    usable = np.bincount(windows.session, weights=~windows.is_dummy).astype(int)
    usable = usable[usable > 0]
    m, n_carried = sizes_for(most_networks, int(usable.min()))
    n_carried = min(m * len(usable), n_carried)
    return min(n_carried + 1, n_units), n_carried


def summary_bytes(windows: Windows, layout: UnitLayout, most_networks: int) -> int:
    """Return the bytes of a summary, beside the moments of sessions."""
    n_rows, n_carried = sizes_of(windows, most_networks, layout.n_units)
    of_units = 2 * n_rows * layout.n_units  # basis and products
    of_rows = n_rows * (windows.n_tokens + n_carried)
    gram = n_stored(layout.widths)
    dummy = 2 * int(windows.is_dummy.sum()) * layout.n_units
    return _FLOAT * (of_units + of_rows + gram) + dummy


class Summary:
    """The summary of a recording, read through memory maps.

    Parameters
    ----------
    folder : Path
    manifest : dict
    moments : SessionMoments
        The recording's.

    Attributes
    ----------
    most_networks : int
        So many can be found in it.
    is_usable : ndarray (n_tokens,)
    projections : ndarray (n_tokens, r)
    basis : ndarray (r, n_alive)
        Orthonormal up to rounding.
    products : ndarray (r, n_alive)
        Σ p zᵀ over usable tokens.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], moments: SessionMoments) -> None:
        self.most_networks = int(manifest["inputs"]["most_networks"])
        self._moments = moments
        self.is_usable: NDArray[np.bool_] = ~moments.is_dummy
        self._alive = np.flatnonzero(moments.alive)
        n_rows, n_carried = int(manifest["n_rows"]), int(manifest["n_carried"])
        n_dummy = int(moments.is_dummy.sum())
        layout = moments.layout

        def opened(name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
            return open_array(checked(folder, manifest, name), dtype, shape)

        self.basis = opened(BASIS, (n_rows, len(self._alive)))
        self.products = opened(PRODUCTS, (n_rows, len(self._alive)))
        self.projections = opened(PROJECTIONS, (moments.n_tokens, n_rows))
        self._group = opened(GROUP, (n_carried, n_rows))
        self._dummy = opened(DUMMY, (n_dummy, layout.n_units), np.float16)
        self._gram = GramFile(folder / GRAM, manifest, layout.widths)

    def group_pca(self, k: int, *, device: torch.device) -> Tensor:
        """Return K group components over alive units, strongest first, as `group_pca` does."""
        rows = torch.from_numpy(self._group @ self.basis).to(device)
        return leading_rows(rows, k)

    @cached_property
    def _predictors(self) -> NDArray[np.float32]:
        """Least squares of each alive unit's z on the projections: (r, n_alive)."""
        used = self.projections[self.is_usable].astype(np.float64)
        inverse = np.linalg.pinv(used.T @ used, rcond=_LEAST_SHARE, hermitian=True)
        n_rows, n_units = self.products.shape
        found = np.empty((n_rows, n_units), dtype=np.float32)
        for start in range(0, n_units, _UNITS_AT_ONCE):
            units = slice(start, start + _UNITS_AT_ONCE)
            found[:, units] = inverse @ self.products[:, units]
        return found

    @cached_property
    def _scale(self) -> NDArray[np.float32]:
        """Standard deviation of each alive unit."""
        return self._moments.std[self._alive]

    def deviations(self, session: int) -> Deviations:
        """Return a session's deviations as far as the components hold them.

        Its means are those of the session, and with what is beyond, its variances too.
        """
        moments, tokens = self._moments, self._moments.session_slice(session)
        is_usable = self.is_usable[tokens]
        values = torch.zeros(len(is_usable), moments.layout.n_units, dtype=torch.float32)
        values[torch.from_numpy(~is_usable)] = torch.from_numpy(
            self._dummies(tokens) - moments.mean
        )
        if not is_usable.any():
            return Deviations(values=values)
        mean, std = moments.session_moments(session)
        held = (self.projections[tokens][is_usable] @ self._predictors) * self._scale
        held -= held.mean(axis=0)
        here = np.zeros((len(held), moments.layout.n_units), dtype=np.float32)
        here[:, self._alive] = held
        variance = np.square(here).mean(axis=0)
        # In a session a fit to all of them may vary more than the unit did.
        here *= np.sqrt(np.minimum(np.square(std) / np.where(variance > 0, variance, 1.0), 1.0))
        beyond = np.maximum(np.square(std) - variance, 0)
        values[torch.from_numpy(is_usable)] = torch.from_numpy(here + (mean - moments.mean))
        return Deviations(values=values, beyond=torch.from_numpy(beyond), is_usable=is_usable)

    def weighted_gram(
        self, layer: int, weights: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return Σ_t w_t x_t x_tᵀ / Σ_t w_t of a layer, (units, units), and the weighted mean.

        Cost: O((r + dummy tokens) · units²), half of it saved by symmetry, whatever the number of
        tokens. Memory: the result, and blocks of rows.
        """
        units = self._moments.layout.layer_slice(layer)
        is_here = (self._alive >= units.start) & (self._alive < units.stop)
        mean = self._moments.mean[units].astype(np.float64)
        scale = np.where(self._moments.alive, self._moments.std, 0)[units].astype(np.float64)
        predictors = np.zeros((len(self._predictors), len(mean)))
        predictors[:, self._alive[is_here] - units.start] = self._predictors[:, is_here]
        predictors *= scale
        used = np.asarray(weights, dtype=np.float64)[self.is_usable]
        projections = self.projections[self.is_usable].astype(np.float64)
        first = (used @ projections) @ predictors
        sums = first + used.sum() * mean
        # Of deviations d from the mean: Σ w d dᵀ, first as the mean weight has it.
        gram = self._scaled_gram(layer, scale, used.mean())
        left, right = np.array([first, mean]), np.array([mean, sums])
        difference = used - used.mean()
        if difference.any():
            inner = (projections * difference[:, None]).T @ projections
            left = np.concatenate([left, predictors])
            right = np.concatenate([right, inner @ predictors])
        _add_upper(gram, left, right)
        for tokens in self._runs_of_dummies():
            dummies = self._dummies(tokens, units).astype(np.float64)
            weight = np.asarray(weights[tokens], dtype=np.float64)[~self.is_usable[tokens]]
            _add_upper(gram, dummies, dummies * weight[:, None])
            sums += weight @ dummies
        for rows in blocks_of_rows(len(gram)):
            gram[rows.stop :, rows] = gram[rows, rows.stop :].T
        total = float(weights.sum())
        gram /= total
        return gram, sums / total

    def _scaled_gram(
        self, layer: int, scale: NDArray[np.float64], weight: float
    ) -> NDArray[np.float64]:
        """Return the upper triangle of ``weight · scale · Σ z zᵀ · scale``: (units, units)."""
        gram = np.empty((len(scale), len(scale)))
        for rows, products in self._gram.blocks(layer):
            columns = slice(rows.start, None)
            np.multiply(products, weight * scale[columns], out=gram[rows, columns])
            gram[rows, columns] *= scale[rows, None]
        return gram

    def _runs_of_dummies(self) -> Iterator[slice]:
        """Yield the tokens of neighbouring sessions, some hundreds of dummy ones at a time."""
        windows = self._moments.windows
        step = max(1, _DUMMIES_AT_ONCE // max(1, windows.n_dummy_tokens))
        for session in range(0, windows.n_windows, step):
            last = min(session + step, windows.n_windows)
            yield slice(int(windows.starts[session]), int(windows.starts[last]))

    def _dummies(self, tokens: slice, units: slice = slice(None)) -> NDArray[np.float32]:
        """Return the signals of the dummy tokens among some: (n, units)."""
        is_dummy = self._moments.is_dummy
        first = int(is_dummy[: tokens.start or 0].sum())
        rows = slice(first, first + int(is_dummy[tokens].sum()))
        sessions = self._moments.windows.session[tokens][is_dummy[tokens]]
        scales = np.asarray(self._moments.scales[sessions, units])
        return np.asarray(self._dummy[rows, units].astype(np.float32) * scales)


def _add_upper(
    gram: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> None:
    """Add ``leftᵀ right``, which is symmetric, to the upper triangle of a matrix."""
    for rows in blocks_of_rows(len(gram)):
        gram[rows, rows.start :] += left[:, rows].T @ right[:, rows.start :]
