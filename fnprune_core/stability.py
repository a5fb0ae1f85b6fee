"""How far networks can be trusted: functions of arrays of maps, nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import AgglomerativeClustering

from fnprune_core.errors import SettingsError


def absolute_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return |r| between the rows of `a` (n, units) and of `b` (m, units): (n, m)."""

    def standardised(x: NDArray[np.floating]) -> NDArray[np.float64]:
        centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / np.where(norm > 0, norm, 1.0), dtype=np.float64)

    return np.abs(standardised(a) @ standardised(b).T)


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


def stability_index(runs: Sequence[NDArray[np.floating]], chosen: int) -> NDArray[np.float64]:
    """Return ICASSO's Iq of each map of one run (Himberg et al. 2004).

    The maps of all runs are clustered by average linkage on 1 − |r| into as many clusters as a
    run has maps; Iq is a cluster's mean |r| within minus its mean |r| to the rest. A map gets
    the Iq of its cluster.

    Parameters
    ----------
    runs : sequence of ndarray (K, units)
    chosen : int
        The run whose maps are judged.

    Returns
    -------
    ndarray (K,)
        In [0, 1] as a rule; NaN when there is only one run.
    """
    n_maps = len(runs[chosen])
    if len(runs) < 2:
        return np.full(n_maps, np.nan)
    if n_maps == 1:
        stacked = np.concatenate(runs)
        return np.array([absolute_correlation(stacked, stacked).mean()])
    stacked = np.concatenate(runs)
    similarity = absolute_correlation(stacked, stacked)
    labels = AgglomerativeClustering(
        n_clusters=n_maps, metric="precomputed", linkage="average"
    ).fit_predict(1.0 - np.clip(similarity, 0.0, 1.0))
    index = np.empty(n_maps)
    start = sum(len(run) for run in runs[:chosen])
    for k, label in enumerate(labels[start : start + n_maps]):
        inside = labels == label
        within = similarity[np.ix_(inside, inside)].mean()
        outside = similarity[np.ix_(inside, ~inside)]
        index[k] = within - (outside.mean() if outside.size else 0.0)
    return index
