"""Likeness of maps: correlation, pairing, and the agreement of several runs."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fnprune_core.errors import SettingsError
from fnprune_core.machine.threads import product


def absolute_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return |r| between the rows of `a` (n, units) and of `b` (m, units): (n, m)."""

    def standardised(x: NDArray[np.floating]) -> NDArray[np.float64]:
        centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.where(norm > 0, norm, 1.0), dtype=np.float64)

    r = product(torch.from_numpy(standardised(a)), torch.from_numpy(standardised(b)).T)
    return np.asarray(np.abs(r.numpy()), dtype=np.float64)


def match_maps(
    a: NDArray[np.floating], b: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pair each map of `a` with one of `b` so that the sum of |r| is largest (Hungarian method).

    Returns
    -------
    order : ndarray (n,)
        ``b[order[i]]`` is the partner of ``a[i]``.
    r : ndarray (n,)
        The pairs' |r|.
    """
    if len(a) > len(b):
        raise SettingsError(f"Cannot pair {len(a)} maps with only {len(b)}.")
    similarity = absolute_correlation(a, b)
    rows, columns = linear_sum_assignment(-similarity)
    return columns.astype(np.int64), similarity[rows, columns]


def run_agreement(runs: Sequence[NDArray[np.floating]], reference: int) -> NDArray[np.float64]:
    """Return how well the other runs find each map of one run again.

    The mean |r| of a map's partners among one another minus their mean |r| to all other maps, as
    in the index Iq of ICASSO (Himberg et al. 2004), but partners are the maps that the Hungarian
    method pairs, one of each run, and |r| to itself is left out. ICASSO clusters freely; then a
    map that only one run has found is a cluster of its own and looks perfectly stable. Its Iq is
    in `reliability`.

    Parameters
    ----------
    runs : sequence of ndarray (K, units)
    reference : int
        The run whose maps are judged.

    Returns
    -------
    ndarray (K,)
        In [0, 1]; NaN when there is only one run.
    """
    n_runs, n_maps = len(runs), len(runs[reference])
    if n_runs < 2:
        return np.full(n_maps, np.nan)
    paired_maps = np.concatenate([run[match_maps(runs[reference], run)[0]] for run in runs])
    similarity = absolute_correlation(paired_maps, paired_maps).reshape(
        n_runs, n_maps, n_runs, n_maps
    )
    cluster_sums = similarity.sum(axis=(0, 2))  # (K, K), over all pairs of runs
    within = (np.diag(cluster_sums) - n_runs) / (n_runs * (n_runs - 1))
    others = cluster_sums.sum(axis=1) - np.diag(cluster_sums)
    index = within - others / max(n_runs**2 * (n_maps - 1), 1)
    return np.asarray(np.clip(index, 0.0, 1.0))
