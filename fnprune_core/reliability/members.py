"""Members of networks: the units that halves of the documents, decomposed apart, agree on."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fnprune_core.atlas.membership import STRONG, Members, agreed
from fnprune_core.reliability.reference import ReferenceStudy
from fnprune_core.reliability.resampling import Space, check_documents, split_documents
from fnprune_core.reliability.unmixing import Start, Unmixed

_RUNS = 2
# The stream of draws of halves and of the whole: no other measure's.
_HALVES, _WHOLE = 2, 5

Halves = tuple[Unmixed, Unmixed]


def half_weights(
    study: ReferenceStudy, split: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of pieces that take one half of the documents, and the other."""
    first = split_documents(study.pieces, study.rng(_HALVES, split))
    return first.astype(np.float64), (~first).astype(np.float64)


def unmixed_halves(study: ReferenceStudy) -> Iterator[list[Halves]]:
    """Yield for each division of the documents the maps of both halves, by block.

    They are decomposed once: another measure of the same study is given the same ones.
    """
    check_documents(study.pieces)
    n_splits = study.settings.n_splits
    if len(study.halves) == n_splits:
        yield from study.halves
        return
    study.halves.clear()
    starts = (
        Start(
            space=pool,
            components=pool.group_pca(weights, len(target)),
            seed=study.seed(_HALVES, split, block, side),
            n_runs=_RUNS,
        )
        for split in range(n_splits)
        for block, (pool, target) in enumerate(zip(study.pools, study.targets, strict=True))
        for side, weights in enumerate(half_weights(study, split))
    )
    found = study.unmixed(
        starts,
        stage="halves of the documents",
        total=2 * n_splits * len(study.pools),
        unit="halves",
    )
    for _ in range(n_splits):
        by_block = []
        for _ in study.pools:
            first, second = islice(found, 2)
            by_block.append((first, second))
        study.halves.append(by_block)
        yield by_block


def members(study: ReferenceStudy) -> Iterator[Members]:
    """Yield the units that belong to the atlas's networks (`membership.RULE`)."""
    yield _members(study, study.maps, study.targets)


def shifted_members(study: ReferenceStudy) -> Iterator[Members]:
    """Yield what the rule marks in networks of a study whose units were shifted by themselves.

    The networks are found anew in them, as many as the atlas has, and so are their halves.
    """
    starts = (
        Start(
            space=pool,
            components=pool.group_pca(study.equal_weights, len(target)),
            seed=study.seed(_WHOLE, block),
            n_runs=_RUNS,
        )
        for block, (pool, target) in enumerate(zip(study.pools, study.targets, strict=True))
    )
    wholes = list(study.unmixed(starts, stage="shifted networks", total=len(study.pools)))
    maps = [_z(pool, run.mixture) for pool, run in zip(study.pools, wholes, strict=True)]
    targets = [
        run.mixture @ pool.centred_gram for pool, run in zip(study.pools, wholes, strict=True)
    ]
    yield _members(study, maps, targets)


def _z(space: Space, mixture: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return maps of norm 1 as z over the units: (K, units)."""
    values = space.signals(mixture.astype(np.float32)).cpu().numpy()
    return np.asarray(values * np.float32(np.sqrt(space.n_units)))


def matched(space: Space, target: NDArray[np.floating], half: Unmixed) -> NDArray[np.float32]:
    """Return the map of each network's partner in a half (Hungarian method), with its sign.

    Parameters
    ----------
    target : ndarray (K, n_rows)
        The networks' maps as `Space.projections` gives them.
    """
    r = target @ half.mixture.T
    order = linear_sum_assignment(-np.abs(r))[1]
    sign = np.where(r[np.arange(len(r)), order] < 0, -1.0, 1.0)
    return _z(space, half.mixture[order] * sign[:, None])


def _members(
    study: ReferenceStudy,
    maps: Sequence[NDArray[np.floating]],
    targets: Sequence[NDArray[np.floating]],
) -> Members:
    divisions = list(unmixed_halves(study))
    units = np.zeros((study.n_networks, study.n_units), dtype=bool)
    strong = np.zeros_like(units)
    for block, (pool, z, target) in enumerate(zip(study.pools, maps, targets, strict=True)):
        halves = [
            (matched(pool, target, first), matched(pool, target, second))
            for first, second in (by_block[block] for by_block in divisions)
        ]
        place = np.ix_(study.networks[block], study.units[block])
        units[place] = agreed(z, halves)
        strong[place] = np.abs(z) > STRONG
    return Members(
        packed=np.packbits(units, axis=1),
        beyond=strong.sum(axis=1),
        n_units=study.n_units,
        n_any=int(units.any(axis=0).sum()),
        n_any_beyond=int(strong.any(axis=0).sum()),
        n_alive=sum(len(index) for index in study.units),
        n_planned=len(divisions),
    )
