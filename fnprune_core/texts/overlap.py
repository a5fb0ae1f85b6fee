"""Runs of tokens that two texts share: hashed, so that long texts are compared in one pass."""

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_JOIN = np.uint64(0x9E3779B97F4A7C15)


def run_hashes(ids: NDArray[np.integer], length: int) -> NDArray[np.uint64]:
    """Return a hash of each run of `length` consecutive ids, (max(0, n - length + 1),).

    Equal runs have equal hashes; the reverse holds but for chance (64 bits). Hashes of runs of
    1, 2, 4, … are joined by the binary digits of `length`: O(n log length).
    """
    n_runs = len(ids) - length + 1
    if n_runs < 1:
        return np.empty(0, dtype=np.uint64)
    doubled, size = _mixed(ids.astype(np.uint64)), 1
    joined, covered = np.zeros(len(ids), dtype=np.uint64), 0
    while True:
        if length & size:
            joined = _mixed(joined[: len(ids) - covered - size + 1] * _JOIN + doubled[covered:])
            covered += size
        if covered == length:
            return joined
        doubled = _mixed(doubled[:-size] * _JOIN + doubled[size:])
        size *= 2


def first_shared_run(a: NDArray[np.integer], b: NDArray[np.integer], *, length: int) -> int | None:
    """Return where in `b` the first run of `length` ids starts that `a` also has, else None."""
    hashes_a, hashes_b = run_hashes(a, length), run_hashes(b, length)
    candidates = np.flatnonzero(np.isin(hashes_b, hashes_a))
    if not len(candidates):
        return None
    order = np.argsort(hashes_a, kind="stable")
    ordered = hashes_a[order]
    first = np.searchsorted(ordered, hashes_b[candidates], side="left")
    last = np.searchsorted(ordered, hashes_b[candidates], side="right")
    for start, low, high in zip(candidates, first, last, strict=True):
        run = b[start : start + length]
        if any(np.array_equal(a[i : i + length], run) for i in order[low:high]):
            return int(start)
    return None


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finaliser of SplitMix64 (Steele 2014): not linear, so no input defeats it by structure.
    for shift, multiplier in zip(_SHIFTS[:2], _MULTIPLIERS, strict=True):
        values = (values ^ (values >> shift)) * multiplier
    return values ^ (values >> _SHIFTS[2])
