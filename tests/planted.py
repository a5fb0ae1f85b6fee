"""Signals with known networks: sparse Laplace maps, time courses per session, noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.models.layout import UnitLayout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """What was planted, and the signals that carry it.

    `maps` (K, units) are on the scale that the decomposition sees: divided by each unit's
    standard deviation over all tokens.
    """

    maps: NDArray[np.float64]
    signals: list[NDArray[np.float32]]


def planted(
    *,
    n_networks: int = 5,
    n_units: int = 1000,
    n_sessions: int = 6,
    n_tokens: int = 150,
    noise: float = 2.0,
    seed: int = 0,
    courses: list[NDArray[np.floating]] | None = None,
) -> Planted:
    """Draw networks; `courses`, one (tokens, K) a session, replaces the random time courses."""
    rng = np.random.default_rng(seed)
    maps = rng.laplace(size=(n_networks, n_units)) * (rng.random((n_networks, n_units)) < 0.3)
    maps[rng.random((n_networks, n_units)) < 0.03] *= 2.0
    maps = np.where(rng.random((n_networks, n_units)) < 0.8, np.abs(maps), maps)  # skewed
    if courses is None:
        courses = [rng.standard_normal((n_tokens, n_networks)) for _ in range(n_sessions)]
    signals = [
        3.0 + each @ maps + noise * rng.standard_normal((len(each), n_units)) for each in courses
    ]
    std = np.concatenate(signals).std(axis=0)
    return Planted(
        maps=maps / std, signals=[np.asarray(each, dtype=np.float32) for each in signals]
    )


def noise_only(
    *, n_units: int = 1000, n_sessions: int = 6, n_tokens: int = 150, seed: int = 0
) -> list[NDArray[np.float32]]:
    """Gaussian signals without any network, one array (tokens, units) a session."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n_tokens, n_units)).astype(np.float32) for _ in range(n_sessions)]


RAGGED = UnitLayout((300, 200, 400, 100))


def fit(sessions, **settings) -> Decomposition:
    return GroupICA(**{"n_components": 5, "n_runs": 1, **settings}).fit(sessions).result_


def matched(planted_maps, found_maps) -> np.ndarray:
    return match_maps(planted_maps, found_maps)[1]
