"""Measures of how far networks can be trusted: other starts, other texts, and nulls.

Every measure is a generator of results that grow until the last, which is the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import kurtosis

from fnprune_core.atlas.chance.directions import rotation
from fnprune_core.atlas.membership import HIGH
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.errors import TooFewTokensError
from fnprune_core.progress import ProgressEvent
from fnprune_core.reliability.members import half_weights, unmixed_halves
from fnprune_core.reliability.nulls import gaussian_space
from fnprune_core.reliability.reference import ReferenceStudy
from fnprune_core.reliability.resampling import (
    LEAST_DOCUMENTS,
    Pool,
    Space,
    check_documents,
    check_sessions,
    count_documents,
    draw_sessions,
)
from fnprune_core.reliability.results import (
    VERY_HIGH,
    Null,
    Reproducibility,
    SizeCurve,
    Stability,
    stability_clusters,
)
from fnprune_core.reliability.unmixing import Start, Unmixed, turned

_REPORT_EVERY = 5
# Each measure draws from a stream of its own, so that none changes another.
_SEEDS, _BOOTSTRAP, _, _SIZES, _NULL, _, _ROTATED = range(7)  # 2 and 5 are those of members


def map_kurtosis(decomposition: Decomposition) -> NDArray[np.float64]:
    """Return the excess kurtosis of each map over the alive units of its scope: (K,)."""
    map_kurtoses = np.empty(decomposition.n_networks)
    for k, layer in enumerate(decomposition.layer_of_network):
        units = decomposition.alive.copy()
        if layer >= 0:
            inside = decomposition.layout.layer_slice(int(layer))
            units[: inside.start] = units[inside.stop :] = False
        map_kurtoses[k] = kurtosis(decomposition.spatial_maps[k, units].astype(np.float64))
    return map_kurtoses


class _Runs:
    """Maps of many runs over one block, and how they resemble one another."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.mixtures: list[NDArray[np.float32]] = []
        self.similarity = np.zeros((0, 0))

    def add(self, run: Unmixed) -> None:
        """Add the maps of a run."""
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
    """Yield the stability of networks over other random starts of ICA (ICASSO)."""
    block_components = [
        pool.group_pca(study.equal_weights, len(index))
        for pool, index in zip(study.pools, study.networks, strict=True)
    ]
    yield from _stability_results(
        study, lambda _: block_components, study.settings.n_seeds, _SEEDS, "seeds"
    )


def over_bootstraps(study: ReferenceStudy) -> Iterator[Stability]:
    """Yield the stability of networks over sessions drawn with replacement (ICASSO)."""
    check_sessions(study.pieces)

    def components(run: int) -> list[NDArray[np.float64]]:
        weights = draw_sessions(study.pieces, study.rng(_BOOTSTRAP, run))
        return [
            pool.group_pca(weights, len(index))
            for pool, index in zip(study.pools, study.networks, strict=True)
        ]

    yield from _stability_results(
        study, components, study.settings.n_bootstraps, _BOOTSTRAP, "bootstrapped sessions"
    )


def _stability_results(
    study: ReferenceStudy,
    components: Callable[[int], Sequence[NDArray[np.float64]]],
    n_runs: int,
    stream: int,
    stage: str,
) -> Iterator[Stability]:
    starts = (
        Start(space=pool, components=block_components, seed=study.seed(stream, run, block))
        for run in range(n_runs)
        for block, (pool, block_components) in enumerate(
            zip(study.pools, components(run), strict=True)
        )
    )
    found = study.unmixed(starts, stage=stage, total=n_runs * len(study.pools))
    runs_by_block = [_Runs(pool) for pool in study.pools]
    n_converged = 0
    for n_done in range(1, n_runs + 1):
        of_blocks = list(islice(found, len(study.pools)))
        for runs, unmixed in zip(runs_by_block, of_blocks, strict=True):
            runs.add(unmixed)
        n_converged += all(unmixed.converged for unmixed in of_blocks)
        if n_done == n_runs or n_done % _REPORT_EVERY == 0:
            clusters = [
                stability_clusters(runs.similarity, runs.run_of, np.abs(target @ runs.all.T))
                for runs, target in zip(runs_by_block, study.targets, strict=True)
            ]
            yield Stability(
                iq=study.gathered([c.iq for c in clusters]),
                share=study.gathered([c.share for c in clusters]),
                match=study.gathered([c.match for c in clusters]),
                n_runs=n_done,
                n_planned=n_runs,
                n_converged=n_converged,
            )


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


def in_halves(study: ReferenceStudy) -> Iterator[Reproducibility]:
    """Yield the likeness of each network's partners in two halves of the documents."""
    rows: list[NDArray[np.float64]] = []
    n_converged = n_runs = 0
    for halves in unmixed_halves(study):
        r_by_block = []
        for pool, target, (a, b) in zip(study.pools, study.targets, halves, strict=True):
            n_converged += a.converged + b.converged
            n_runs += 2
            r_by_block.append(
                partners(
                    np.abs(target @ a.mixture.T),
                    np.abs(target @ b.mixture.T),
                    pool.correlation(a.mixture, b.mixture),
                )
            )
        rows.append(study.gathered(r_by_block))
        yield Reproducibility(
            r=np.array(rows),
            n_documents=count_documents(study.pieces),
            n_planned=study.settings.n_splits,
            n_converged=n_converged,
            n_runs=n_runs,
        )


def rotated_halves(study: ReferenceStudy) -> Iterator[Reproducibility]:
    """Yield the likeness that random directions have in the same halves of the documents.

    The components of each half are those that ICA is given; instead of by ICA they are turned by a
    random rotation, and so are the atlas's maps. So what two halves share as spaces stays, and
    which axes ICA finds in them is chance. No ICA is run: O(K² · units) for each half.
    """
    check_documents(study.pieces)
    n_splits, rows = study.settings.n_splits, []
    targets = [
        rotation(len(target), study.rng(_ROTATED, block)) @ target
        for block, target in enumerate(study.targets)
    ]
    for split in range(n_splits):
        study.progress(
            ProgressEvent(stage="rotated halves", done=split, total=n_splits, unit="divisions")
        )
        r_by_block = []
        for block, (pool, target) in enumerate(zip(study.pools, targets, strict=True)):
            study.cancel.raise_if_cancelled()
            a, b = (
                turned(
                    pool,
                    pool.group_pca(weights, len(target)),
                    rotation(len(target), study.rng(_ROTATED, block, split, side)),
                )
                for side, weights in enumerate(half_weights(study, split))
            )
            r_by_block.append(
                partners(np.abs(target @ a.T), np.abs(target @ b.T), pool.correlation(a, b))
            )
        rows.append(study.gathered(r_by_block))
        yield Reproducibility(
            r=np.array(rows),
            n_documents=count_documents(study.pieces),
            n_planned=n_splits,
            n_converged=0,
            n_runs=0,
        )


def candidate_sizes(study: ReferenceStudy) -> list[int]:
    """Return the numbers of networks to try: a quarter to twice the atlas's, as the data allow."""
    k = max(len(index) for index in study.networks)
    halves = [weights for i in range(study.settings.n_splits) for weights in half_weights(study, i)]
    # Half of the components, so that each K is a choice among directions and not all of them.
    most = min(
        min(pool.n_rows(weights) // 2, pool.n_units // 4)
        for pool in study.pools
        for weights in halves
    )
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
    n_splits, n_blocks = study.settings.n_splits, len(study.pools)
    values = np.full((3, len(sizes), n_splits), np.nan)
    found = study.unmixed(
        _starts_of_sizes(study, sizes),
        stage="numbers of networks",
        total=2 * n_splits * len(sizes) * n_blocks,
        unit="halves",
    )
    n_runs = n_converged = 0
    for split in range(n_splits):
        for i in range(len(sizes)):
            r_by_block: list[NDArray[np.float64]] = []
            for pool in study.pools:
                halves = list(islice(found, 2))
                n_runs += 2
                n_converged += sum(run.converged for run in halves)
                between = pool.correlation(halves[0].mixture, halves[1].mixture)
                r_by_block.append(between[linear_sum_assignment(-between)])
            all_r = np.concatenate(r_by_block)
            values[:, i, split] = (
                np.median(all_r), (all_r >= HIGH).sum(), (all_r >= VERY_HIGH).sum()
            )  # fmt: skip
            yield SizeCurve(
                sizes=np.array(sizes), median=values[0].copy(), above_high=values[1].copy(),
                above_very_high=values[2].copy(), n_runs=n_runs, n_converged=n_converged,
            )  # fmt: skip


def _starts_of_sizes(study: ReferenceStudy, sizes: Sequence[int]) -> Iterator[Start]:
    """Yield the starts of each split, size, block and half; PCA is done once for all sizes."""
    for split in range(study.settings.n_splits):
        largest = [
            [pool.group_pca(weights, sizes[-1]) for weights in half_weights(study, split)]
            for pool in study.pools
        ]
        for i, size in enumerate(sizes):
            for block, (pool, components_of_halves) in enumerate(
                zip(study.pools, largest, strict=True)
            ):
                for side, components in enumerate(components_of_halves):
                    yield Start(
                        space=pool,
                        components=components[:size],
                        seed=study.seed(_SIZES, split, i, block, side),
                    )


def gaussian_null(study: ReferenceStudy) -> Iterator[Null]:
    """Yield the figures of Gaussian data with the observed covariance (`gaussian_space`).

    All three can be compared with it: how sparse a map, how stable and how reproducible a network
    comes out of ICA when there is nothing but variance to be found.
    """
    spaces, wholes_by_block, halves_by_block = [], [], []
    for block, (pool, index) in enumerate(zip(study.pools, study.networks, strict=True)):
        null_components = _null_components(study, pool, len(index))
        rng = study.rng(_NULL, block)
        space, (whole_components, *half_components) = gaussian_space(pool, null_components, rng)
        spaces.append(space)
        wholes_by_block.append(whole_components)
        halves_by_block.append(half_components)
    yield from _null_results(study, spaces, wholes_by_block, halves_by_block, stage="Gaussian null")


def shift_null(study: ReferenceStudy) -> Iterator[Null]:
    """Yield the figures of a study whose units were shifted (``open_study(is_shifted=True)``).

    It shows how sparse maps become because single units have heavy tails, and how much of
    reproducibility needs no co-activation (session means stay, so that domains do). Iq cannot be
    compared with it: ICA finds the same heavy-tailed units from any start, network or not.
    """
    wholes_by_block, halves_by_block = [], []
    for pool, index in zip(study.pools, study.networks, strict=True):
        whole_components, *half_components = _null_components(study, pool, len(index))
        wholes_by_block.append(whole_components)
        halves_by_block.append(half_components)
    yield from _null_results(
        study, study.pools, wholes_by_block, halves_by_block, stage="shift null"
    )


def _null_components(study: ReferenceStudy, pool: Pool, k: int) -> list[NDArray[np.float64]]:
    """Return the components of the whole recording, then of both halves of each null split."""
    weights = [study.equal_weights]
    if len({piece.source for piece in study.pieces}) >= LEAST_DOCUMENTS:
        for split in range(study.settings.n_null_splits):
            weights += half_weights(study, split)
    return [pool.group_pca(piece_weights, k) for piece_weights in weights]


def _null_results(
    study: ReferenceStudy,
    spaces: Sequence[Space],
    wholes_by_block: Sequence[NDArray[np.float64]],
    halves_by_block: Sequence[Sequence[NDArray[np.float64]]],
    *,
    stage: str,
) -> Iterator[Null]:
    n_seeds, n_halves = study.settings.n_null_seeds, len(halves_by_block[0])

    def start(block: int, components: NDArray[np.float64], run: int) -> Start:
        seed = study.seed(_NULL, block, run)
        return Start(space=spaces[block], components=components, seed=seed)

    blocks = range(len(spaces))
    of_wholes = (start(b, wholes_by_block[b], run) for b in blocks for run in range(n_seeds))
    of_halves = (
        start(b, halves_by_block[b][side], n_seeds + side)
        for first in range(0, n_halves, 2)
        for b in blocks
        for side in (first, first + 1)
    )
    total = (n_seeds + n_halves) * len(spaces)
    found = study.unmixed(chain(of_wholes, of_halves), stage=stage, total=total)
    r: list[NDArray[np.float64]] = []
    converged: list[bool] = []
    best_runs, again_by_block = [], []
    for space in spaces:
        runs, block_runs = _Runs(space), list(islice(found, n_seeds))
        for run in block_runs:
            runs.add(run)
            converged.append(run.converged)
        best_runs.append(max(block_runs, key=lambda best: (best.converged, best.contrast)))
        to_networks = space.correlation(best_runs[-1].mixture, runs.all)
        clusters = stability_clusters(runs.similarity, runs.run_of, to_networks)
        again_by_block.append(clusters.iq * clusters.share)

    def result() -> Null:
        return Null(
            kurtosis=study.gathered([best.kurtosis for best in best_runs]),
            again=study.gathered(again_by_block),
            r=np.concatenate(r) if r else np.zeros(0),
            n_runs=len(converged),
            n_converged=sum(converged),
        )

    yield result()
    for _ in range(0, n_halves, 2):
        for block, space in enumerate(spaces):
            halves = list(islice(found, 2))
            converged += [run.converged for run in halves]
            network, a, b = best_runs[block].mixture, *(run.mixture for run in halves)
            r.append(
                partners(
                    space.correlation(network, a),
                    space.correlation(network, b),
                    space.correlation(a, b),
                )
            )
        yield result()
