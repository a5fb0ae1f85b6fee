"""Spatial ICA on whitened data: one table of algorithms, each a function of arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import skew
from torch import Tensor

from fnprune_core.machine.threads import eigen, gram, nearest_orthogonal, product
from fnprune_core.progress import NEVER, CancelToken

Contrast = Literal["cube", "logcosh"]
_GAUSSIAN_LOGCOSH = 0.3745672075  # E[log cosh v] of a standard normal v
_PICARD_FASTICA_STEPS = 10
# Signals are float32: components with less of the largest variance than this are its rounding.
_ROUNDING = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IcaRun:
    """Sources of one run: (K, units), mean 0 and variance 1 each, uncorrelated."""

    sources: Tensor
    n_iter: int
    converged: bool
    contrast: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IcaSettings:
    """Contrast function and stopping rule of a run."""

    fun: Contrast
    max_iter: int
    tol: float


Algorithm = Callable[[Tensor, Tensor, IcaSettings, CancelToken], IcaRun]


def whiten(data: Tensor) -> tuple[Tensor, int]:
    """Return `data` (K, units) centred and whitened over units, and its numerical rank."""
    centred = data - data.mean(dim=1, keepdim=True)
    covariance = gram(centred) / centred.shape[1]
    values, vectors = eigen(covariance)
    floor = values[-1] * max(torch.finfo(data.dtype).eps * len(values) * 10, _ROUNDING)
    is_kept = values > floor
    rotation = vectors[:, is_kept] / values[is_kept].sqrt()
    return product(rotation.T, centred), int(is_kept.sum())


def contrast_of(sources: Tensor, fun: Contrast) -> float:
    """Return how far from Gaussian the sources are, by the contrast that is maximised."""
    if fun == "cube":
        return float((sources.pow(4).mean(dim=1) - 3.0).abs().mean())
    return float((_log_cosh(sources).mean(dim=1) - _GAUSSIAN_LOGCOSH).square().mean())


def _log_cosh(x: Tensor) -> Tensor:
    magnitude = x.abs()
    return magnitude + torch.log1p(torch.exp(-2.0 * magnitude)) - float(np.log(2.0))


def _fastica_update(sources: Tensor, white: Tensor, unmixing: Tensor, fun: Contrast) -> Tensor:
    n_units = white.shape[1]
    if fun == "cube":
        squares = sources.square()
        slope = 3.0 * squares.mean(dim=1)
        drive = squares.mul_(sources)
    else:
        drive = torch.tanh(sources)
        slope = 1.0 - drive.square().mean(dim=1)
    return product(drive, white.T) / n_units - slope[:, None] * unmixing


def fastica(white: Tensor, start: Tensor, settings: IcaSettings, cancel: CancelToken) -> IcaRun:
    """Run symmetric FastICA (Hyvärinen 1999) on whitened data.

    Parameters
    ----------
    white : Tensor (K, units)
        Whitened over units.
    start : Tensor (K, K)
        Any invertible matrix.
    """
    unmixing = nearest_orthogonal(start)
    converged = False
    n_iter = 0
    for n_iter in range(1, settings.max_iter + 1):  # noqa: B007 - reported after the loop
        cancel.raise_if_cancelled()
        updated = nearest_orthogonal(
            _fastica_update(product(unmixing, white), white, unmixing, settings.fun)
        )
        change = ((updated * unmixing).sum(dim=1).abs() - 1.0).abs().max()
        unmixing = updated
        if float(change) < settings.tol:
            converged = True
            break
    sources = product(unmixing, white)
    return IcaRun(
        sources=sources,
        n_iter=n_iter,
        converged=converged,
        contrast=contrast_of(sources, settings.fun),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Density:
    """A contrast in picard's terms, which also lets a person stop between iterations."""

    fun: Contrast
    cancel: CancelToken

    def log_lik(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the contrast of each value."""
        if self.fun == "cube":
            return np.asarray(y**4 / 4.0)
        return np.logaddexp(y, -y) - float(np.log(2.0))

    def score_and_der(
        self, y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return first and second derivative of the contrast."""
        self.cancel.raise_if_cancelled()
        if self.fun == "cube":
            return y**3, 3.0 * y**2
        slope = np.tanh(y)
        return slope, 1.0 - slope**2


def picard_o(white: Tensor, start: Tensor, settings: IcaSettings, cancel: CancelToken) -> IcaRun:
    """Run Picard-O (Ablin, Cardoso & Gramfort 2018) through python-picard, on the CPU.

    A few FastICA steps come first: from a far start its line search can end in a saddle point.
    """
    from picard import picard

    _, _, picard_sources, last_iteration = picard(
        white.double().cpu().numpy(),
        ortho=True,
        extended=True,
        whiten=False,
        centering=False,
        fun=_Density(fun=settings.fun, cancel=cancel),
        check_fun=False,
        w_init=nearest_orthogonal(start).double().cpu().numpy(),
        fastica_it=_PICARD_FASTICA_STEPS,
        max_iter=settings.max_iter,
        tol=settings.tol,
        return_n_iter=True,
    )
    # picard counts from 0, and alike whether it converged or ran out of iterations.
    n_iter = int(last_iteration) + 1
    sources = torch.as_tensor(np.asarray(picard_sources), dtype=white.dtype, device=white.device)
    return IcaRun(
        sources=sources,
        n_iter=n_iter,
        converged=n_iter < settings.max_iter,
        contrast=contrast_of(sources, settings.fun),
    )


ALGORITHMS: dict[str, Algorithm] = {"fastica": fastica, "picard": picard_o}


def run_ica(
    white: Tensor,
    seed: np.random.SeedSequence,
    *,
    algorithm: str,
    settings: IcaSettings,
    cancel: CancelToken = NEVER,
) -> IcaRun:
    """Run one algorithm of the table from a random start drawn from `seed`."""
    size = white.shape[0]
    start = np.random.default_rng(seed).standard_normal((size, size))
    return ALGORITHMS[algorithm](white, torch.as_tensor(start).to(white), settings, cancel)


def as_z_maps(sources: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return maps with mean 0, standard deviation 1 and positive skewness."""
    z = sources - sources.mean(axis=1, keepdims=True)
    z = z / z.std(axis=1, keepdims=True)
    z *= np.where(skew(z, axis=1) < 0, -1.0, 1.0)[:, None]
    return np.asarray(z, dtype=np.float32)
