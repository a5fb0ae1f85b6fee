"""ICA of resampled group components, in this process or by workers."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.decomposition.ica import IcaSettings, run_ica, whiten
from fnprune_core.errors import SettingsError
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.reliability.resampling import Space


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unmixed:
    """Maps of one ICA run.

    Parameters
    ----------
    mixture : ndarray (K, n_rows) float32
        Maps of norm 1 as mixtures of a space's rows.
    kurtosis : ndarray (K,)
        Excess kurtosis of each map over units.
    """

    mixture: NDArray[np.float32]
    kurtosis: NDArray[np.float64]
    converged: bool
    contrast: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmixing:
    """The algorithm and settings of an atlas's ICA, to run it again."""

    algorithm: str
    settings: IcaSettings

    def run(
        self,
        data: Tensor,
        components: NDArray[np.floating],
        seed: np.random.SeedSequence,
        *,
        cancel: CancelToken = NEVER,
    ) -> Unmixed:
        """Unmix group components.

        Parameters
        ----------
        data : Tensor (K, units)
        components : ndarray (K, n_rows)
            The same as mixtures of a space's rows.
        """
        run = run_ica(
            _white(data), algorithm=self.algorithm, settings=self.settings, seed=seed, cancel=cancel
        )
        return Unmixed(
            mixture=_mixture(run.sources, data, components),
            kurtosis=(run.sources.pow(4).mean(dim=1) - 3.0).double().cpu().numpy(),
            converged=run.converged,
            contrast=run.contrast,
        )


def _white(data: Tensor) -> Tensor:
    """Return components (K, units) centred and whitened over units."""
    white, rank = whiten(data)
    if rank < len(data):
        raise SettingsError(
            f"A part of the recording has only {rank} independent components, too few for "
            f"{len(data)} networks.",
            hint="Record more varied texts or choose a lower K.",
        )
    return white


def _mixture(
    sources: Tensor, data: Tensor, components: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return combinations of `data`, at norm 1, as mixtures of a space's rows: (K, n_rows)."""
    products = (sources @ data.T).double().cpu().numpy()
    gram = (data @ data.T).double().cpu().numpy()
    unmixing = np.linalg.solve(gram, products.T).T / np.sqrt(data.shape[1])
    return np.asarray(unmixing @ components, dtype=np.float32)


def turned(
    space: Space, components: NDArray[np.floating], turn: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the whitened components of a space after a rotation, at norm 1: (K, n_rows)."""
    data = space.signals(components)
    return _mixture(torch.from_numpy(turn).to(data) @ _white(data), data, components)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """Where ICA is to begin: group components in a space, and random starts.

    Parameters
    ----------
    components : ndarray (K, n_rows)
        Mixtures of the space's rows.
    seed : SeedSequence
    n_runs : int
        Of which the best counts, as for an atlas: converged, of highest contrast.
    """

    space: Space
    components: NDArray[np.floating]
    seed: np.random.SeedSequence
    n_runs: int = 1

    def task(self, unmixing: Unmixing, cancel: CancelToken) -> "UnmixingTask":
        """Return the work, with the signals in it instead of the space."""
        data = self.space.signals(self.components)
        return UnmixingTask(
            unmixing=unmixing,
            data=data.double() if data.device.type == "cpu" else data,
            components=self.components,
            seeds=(self.seed,) if self.n_runs == 1 else tuple(self.seed.spawn(self.n_runs)),
            cancel=cancel,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnmixingTask:
    """ICA of group components, as it is sent to a worker: see `Unmixing.run`."""

    unmixing: Unmixing
    data: Tensor
    components: NDArray[np.floating]
    seeds: tuple[np.random.SeedSequence, ...]
    cancel: CancelToken

    def best(self) -> Unmixed:
        """Return the best of the runs."""
        runs = [
            self.unmixing.run(self.data, self.components, seed, cancel=self.cancel)
            for seed in self.seeds
        ]
        return max(runs, key=lambda run: (run.converged, run.contrast))
