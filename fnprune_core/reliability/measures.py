"""How far each network can be trusted: found again by ICA, by other texts, and against nulls.

Every measure is a generator of results that grow until the last, which is the whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import kurtosis

from fnprune_core.decomposition.group_ica import Decomposition
from fnprune_core.errors import TooFewTokensError
from fnprune_core.reliability.nulls import gaussian_space
from fnprune_core.reliability.reference import ReferenceStudy
from fnprune_core.reliability.resampling import (
    LEAST_DOCUMENTS,
    Pool,
    Space,
    Unmixed,
    check_documents,
    check_sessions,
    count_documents,
    draw_sessions,
    split_documents,
)
from fnprune_core.reliability.results import (
    HIGH,
    VERY_HIGH,
    Null,
    Reproducibility,
    SizeCurve,
    Stability,
    stability_clusters,
)

_REPORT_EVERY = 5
_RUNS_OF_A_HALF = 2
# Each measure draws from a stream of its own, so that none changes another.
_SEEDS, _BOOTSTRAP, _HALVES, _SIZES, _NULL = range(5)


def map_kurtosis(decomposition: Decomposition) -> NDArray[np.float64]:
    """Return the excess kurtosis of each map over the alive units of its scope: (K,)."""
    found = np.empty(decomposition.n_networks)
    for k, layer in enumerate(decomposition.layer_of_network):
        units = decomposition.alive.copy()
        if layer >= 0:
            inside = decomposition.layout.layer_slice(int(layer))
            units[: inside.start] = units[inside.stop :] = False
        found[k] = kurtosis(decomposition.spatial_maps[k, units].astype(np.float64))
    return found


class _Runs:
    """Maps of many runs over one block, and how they resemble one another."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.mixtures: list[NDArray[np.float32]] = []
        self.similarity = np.zeros((0, 0))

    def add(self, run: Unmixed) -> None:
        """Take in a run."""
        self.mixtures.append(run.mixture)
        new = self._space.correlation(run.mixture, self.all)
        n = len(self.similarity)
        grown = np.empty((new.shape[1], new.shape[1]))
        grown[:n, :n] = self.similarity
        grown[n:], grown[:, n:] = new, new.T
        self.similarity = grown

    @property
    def all(self) -> NDArray[np.float32]:
        """All maps so far: (runs · K, n_rows)."""
        return np.concatenate(self.mixtures)

    @property
    def run_of(self) -> NDArray[np.int64]:
        """The run of each map."""
        return np.repeat(np.arange(len(self.mixtures)), [len(m) for m in self.mixtures])


def over_seeds(study: ReferenceStudy) -> Iterator[Stability]:
    """Yield whether ICA finds the networks again from other random starts (ICASSO)."""
    parts = [
        pool.group_pca(study.everything, len(index))
        for pool, index in zip(study.pools, study.networks, strict=True)
    ]
    yield from _stability(study, lambda _: parts, study.settings.n_seeds, _SEEDS, "seeds")


def over_bootstraps(study: ReferenceStudy) -> Iterator[Stability]:
    """Yield whether ICA finds the networks again in sessions drawn with replacement (ICASSO)."""
    check_sessions(study.pieces)

    def components(run: int) -> list[NDArray[np.float64]]:
        weights = draw_sessions(study.pieces, study.rng(_BOOTSTRAP, run))
        return [
            pool.group_pca(weights, len(index))
            for pool, index in zip(study.pools, study.networks, strict=True)
        ]

    yield from _stability(
        study, components, study.settings.n_bootstraps, _BOOTSTRAP, "bootstrapped sessions"
    )


def _stability(
    study: ReferenceStudy, components: Any, n_runs: int, stream: int, stage: str
) -> Iterator[Stability]:
    found = [_Runs(pool) for pool in study.pools]
    n_converged = 0
    for run in range(n_runs):
        converged = True
        for block, (pool, part) in enumerate(zip(study.pools, components(run), strict=True)):
            study.tell(stage, run, n_runs)
            seed = study.seed(stream, run, block)
            made = study.unmixing.run(pool, part, seed, cancel=study.cancel)
            converged &= made.converged
            found[block].add(made)
        n_converged += converged
        n_done = run + 1
        if n_done == n_runs or n_done % _REPORT_EVERY == 0:
            clusters = [
                stability_clusters(r.similarity, r.run_of, np.abs(target @ r.all.T))
                for r, target in zip(found, study.targets, strict=True)
            ]
            yield Stability(
                iq=study.gathered([c.iq for c in clusters]),
                share=study.gathered([c.share for c in clusters]),
                match=study.gathered([c.match for c in clusters]),
                n_runs=n_done,
                n_planned=n_runs,
                n_converged=n_converged,
            )
    study.tell(stage, n_runs, n_runs)


def partners(
    to_a: NDArray[np.floating], to_b: NDArray[np.floating], between: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return abs(r) between each network's partners in two halves (Hungarian method): (K,).

    Parameters
    ----------
    to_a, to_b : ndarray (K, n), (K, m)
        abs(r) between the networks and the maps of each half.
    between : ndarray (n, m)
        abs(r) between the maps of the halves.
    """
    in_a = linear_sum_assignment(-to_a)[1]
    in_b = linear_sum_assignment(-to_b)[1]
    return np.asarray(between[in_a, in_b], dtype=np.float64)


def _halves(study: ReferenceStudy, split: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first = split_documents(study.pieces, study.rng(_HALVES, split))
    return first.astype(np.float64), (~first).astype(np.float64)


def in_halves(study: ReferenceStudy) -> Iterator[Reproducibility]:
    """Yield how alike each network's partners are in two halves of the documents."""
    n_splits = study.settings.n_splits
    check_documents(study.pieces)
    rows: list[NDArray[np.float64]] = []
    n_converged = n_runs = 0
    for split in range(n_splits):
        halves = _halves(study, split)
        found = []
        for block, (pool, target) in enumerate(zip(study.pools, study.targets, strict=True)):
            made = []
            for side, weights in enumerate(halves):
                study.tell("halves of the documents", 2 * split + side, 2 * n_splits, "halves")
                part = pool.group_pca(weights, len(target))
                seed = study.seed(_HALVES, split, block, side)
                made.append(
                    study.unmixing.best(
                        pool, part, seed, n_runs=_RUNS_OF_A_HALF, cancel=study.cancel
                    )
                )
            n_converged += sum(each.converged for each in made)
            n_runs += 2
            a, b = (each.mixture for each in made)
            found.append(
                partners(np.abs(target @ a.T), np.abs(target @ b.T), pool.correlation(a, b))
            )
        rows.append(study.gathered(found))
        yield Reproducibility(
            r=np.array(rows),
            n_documents=count_documents(study.pieces),
            n_planned=n_splits,
            n_converged=n_converged,
            n_runs=n_runs,
        )
    study.tell("halves of the documents", 2 * n_splits, 2 * n_splits, "halves")


def candidate_sizes(study: ReferenceStudy) -> list[int]:
    """Return the numbers of networks to try: a quarter to twice the atlas's, as the data allow."""
    k = max(len(index) for index in study.networks)
    halves = [weights for i in range(study.settings.n_splits) for weights in _halves(study, i)]
    # Half of the components, so that each K is a choice among directions and not all of them.
    most = min(min(pool.n_rows(w) // 2, pool.n_units // 4) for pool in study.pools for w in halves)
    return sorted({size for size in (k // 4, k // 2, k, 3 * k // 2, 2 * k) if 2 <= size <= most})


def by_size(study: ReferenceStudy) -> Iterator[SizeCurve]:
    """Yield reproducibility in halves of the documents for several numbers of networks.

    Here the maps of the halves are paired with one another, for there is no atlas of each size.
    """
    check_documents(study.pieces)
    sizes = candidate_sizes(study)
    if not sizes:
        raise TooFewTokensError(
            "A half of this recording holds too few components to compare numbers of networks.",
            hint="Record more tokens, or decompose with a lower K.",
        )
    n_splits = study.settings.n_splits
    values = np.full((3, len(sizes), n_splits), np.nan)
    n_runs = n_converged = 0
    for split in range(n_splits):
        halves = _halves(study, split)
        whole = [[pool.group_pca(w, sizes[-1]) for w in halves] for pool in study.pools]
        for i, size in enumerate(sizes):
            r: list[NDArray[np.float64]] = []
            for block, (pool, parts) in enumerate(zip(study.pools, whole, strict=True)):
                made = []
                for side, part in enumerate(parts):
                    done = 2 * (split * len(sizes) + i) + side
                    study.tell("numbers of networks", done, values[0].size * 2, "halves")
                    seed = study.seed(_SIZES, split, i, block, side)
                    made.append(study.unmixing.run(pool, part[:size], seed, cancel=study.cancel))
                n_runs += 2
                n_converged += sum(each.converged for each in made)
                between = pool.correlation(made[0].mixture, made[1].mixture)
                r.append(between[linear_sum_assignment(-between)])
            joined = np.concatenate(r)
            values[:, i, split] = (
                np.median(joined), (joined >= HIGH).sum(), (joined >= VERY_HIGH).sum()
            )  # fmt: skip
            yield SizeCurve(
                sizes=np.array(sizes), median=values[0].copy(), above_high=values[1].copy(),
                above_very_high=values[2].copy(), n_runs=n_runs, n_converged=n_converged,
            )  # fmt: skip
    study.tell("numbers of networks", values[0].size * 2, values[0].size * 2, "halves")


def gaussian_null(study: ReferenceStudy) -> Iterator[Null]:
    """Yield the figures of Gaussian data with the observed covariance (`gaussian_space`).

    It can speak to all three: how sparse a map, how stable and how reproducible a network comes
    out of ICA when there is nothing but variance to be found.
    """
    spaces, wholes, splits = [], [], []
    for block, (pool, index) in enumerate(zip(study.pools, study.networks, strict=True)):
        parts = _components(study, pool, len(index))
        rng = study.rng(_NULL, block)
        space, (whole, *rest) = gaussian_space(pool, parts, rng)
        spaces.append(space)
        wholes.append(whole)
        splits.append(rest)
    yield from _null(study, spaces, wholes, splits, stage="Gaussian null")


def shift_null(study: ReferenceStudy) -> Iterator[Null]:
    """Yield the figures of a study whose units were shifted (``open_study(is_shifted=True)``).

    It speaks to how sparse maps become because single units have heavy tails, and to how much of
    reproducibility needs no co-activation (session means stay, so that domains do). It does not
    speak to Iq: ICA finds the same heavy-tailed units from any start, network or not.
    """
    wholes, splits = [], []
    for pool, index in zip(study.pools, study.networks, strict=True):
        whole, *rest = _components(study, pool, len(index))
        wholes.append(whole)
        splits.append(rest)
    yield from _null(study, study.pools, wholes, splits, stage="shift null")


def _components(study: ReferenceStudy, pool: Pool, k: int) -> list[NDArray[np.float64]]:
    """Return the components of everything, then of both halves of each split of a null."""
    weights = [study.everything]
    if len({piece.source for piece in study.pieces}) >= LEAST_DOCUMENTS:
        for split in range(study.settings.n_null_splits):
            weights += _halves(study, split)
    return [pool.group_pca(each, k) for each in weights]


def _null(
    study: ReferenceStudy,
    spaces: Sequence[Space],
    wholes: Sequence[NDArray[np.float64]],
    splits: Sequence[Sequence[NDArray[np.float64]]],
    *,
    stage: str,
) -> Iterator[Null]:
    n_seeds, n_halves = study.settings.n_null_seeds, len(splits[0])
    total = (n_seeds + n_halves) * len(spaces)
    done = 0
    r: list[NDArray[np.float64]] = []
    converged: list[bool] = []
    best, again = [], []
    for block, (space, whole) in enumerate(zip(spaces, wholes, strict=True)):
        runs, made = _Runs(space), []
        for run in range(n_seeds):
            study.tell(stage, done, total)
            seed = study.seed(_NULL, block, run)
            made.append(study.unmixing.run(space, whole, seed, cancel=study.cancel))
            runs.add(made[-1])
            converged.append(made[-1].converged)
            done += 1
        best.append(max(made, key=lambda each: (each.converged, each.contrast)))
        to_networks = space.correlation(best[-1].mixture, runs.all)
        clusters = stability_clusters(runs.similarity, runs.run_of, to_networks)
        again.append(clusters.iq * clusters.share)

    def result() -> Null:
        return Null(
            kurtosis=study.gathered([each.kurtosis for each in best]),
            again=study.gathered(again),
            r=np.concatenate(r) if r else np.zeros(0),
            n_runs=len(converged),
            n_converged=sum(converged),
        )

    yield result()
    for first in range(0, n_halves, 2):
        for block, space in enumerate(spaces):
            made = []
            for side in (first, first + 1):
                study.tell(stage, done, total)
                seed = study.seed(_NULL, block, n_seeds + side)
                made.append(
                    study.unmixing.run(space, splits[block][side], seed, cancel=study.cancel)
                )
                converged.append(made[-1].converged)
                done += 1
            network, a, b = best[block].mixture, made[0].mixture, made[1].mixture
            r.append(
                partners(
                    space.correlation(network, a),
                    space.correlation(network, b),
                    space.correlation(a, b),
                )
            )
        yield result()
    study.tell(stage, total, total)
