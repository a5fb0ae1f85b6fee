"""Results on how far networks can be trusted, each growing as it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import AgglomerativeClustering

from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.membership import HIGH, Members
from fnprune_core.storage.array_results import ArrayResult

VERY_HIGH = 0.8
#: The kind of random directions that halves are compared with.
ROTATED = "rotated"
#: Clusters of maps become one while their mean abs(r) is above this.
MERGE = 0.5
#: A size is good enough when its yield is so much of the best one.
ENOUGH = 0.95
#: Figures in which each null can honestly be compared. ICA finds heavy-tailed units from any start,
#: so maps are found again over seeds in shifted data, too: that tells nothing of co-activation.
SPEAKS_TO: Mapping[str, tuple[str, ...]] = {
    "gaussian": ("kurtosis", "again", "r"),
    "shift": ("kurtosis", "r"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Maps of many runs in clusters, each network with the one that matches it.

    Parameters
    ----------
    iq, share, match : ndarray (K,)
        Of each network's cluster: stability index, share of the runs that it holds a map of,
        and abs(r) between the network and the cluster's most central map.
    """

    iq: NDArray[np.float64]
    share: NDArray[np.float64]
    match: NDArray[np.float64]


def stability_clusters(
    similarity: NDArray[np.floating],
    run_of: NDArray[np.integer],
    to_networks: NDArray[np.floating],
) -> Clusters:
    """Cluster the maps of many runs and judge each network by the cluster that matches it.

    After ICASSO (Himberg et al. 2004): average linkage on 1 − abs(r); Iq is the mean abs(r) within
    a cluster minus the mean abs(r) to all other maps. Two things differ. ICASSO counts the abs(r)
    of 1 of each map to itself, and so calls a map that a single run has found perfectly stable;
    here only pairs of different maps count, a cluster of one has an Iq of 0, and the share of the
    runs that a cluster holds stands beside it. And clusters merge while their mean abs(r) is above
    `MERGE`, where ICASSO asks for as many clusters as networks: then maps that few runs have found
    are forced into the clusters of others. The cluster of a network is the one with the largest
    sum of r² to it, each cluster for one network (Hungarian method).

    Parameters
    ----------
    similarity : ndarray (n, n)
        abs(r) between all maps.
    run_of : ndarray (n,)
        The run of each map.
    to_networks : ndarray (K, n)
        abs(r) between the networks and the maps.
    """
    n_networks, n_maps = to_networks.shape
    distance = 1.0 - np.clip(similarity, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    label = _cluster_labels(distance, least=n_networks)
    member = np.equal.outer(np.arange(label.max() + 1), label).astype(np.float64)
    size = member.sum(axis=1)
    sums = member @ similarity  # of each cluster's maps, to each map
    inside = (sums * member).sum(axis=1)
    within = np.where(size > 1, (inside - size) / np.maximum(size * (size - 1), 1), 0.0)
    outside = (sums.sum(axis=1) - inside) / np.maximum(size * (n_maps - size), 1)
    iq = np.clip(within - outside, 0.0, 1.0)
    n_runs = len(np.unique(run_of))
    run_share = np.array([len(np.unique(run_of[row > 0])) for row in member]) / n_runs
    central = np.where(member > 0, sums, -np.inf).argmax(axis=1)
    order = linear_sum_assignment(-(np.square(to_networks) @ member.T))[1]
    match = to_networks[np.arange(n_networks), central[order]]
    return Clusters(iq=iq[order], share=run_share[order], match=match)


def _cluster_labels(distance: NDArray[np.float64], *, least: int) -> NDArray[np.int64]:
    """Return the cluster of each map; at least so many clusters, for each network needs one."""
    for size in ({"distance_threshold": 1.0 - MERGE, "n_clusters": None}, {"n_clusters": least}):
        clustering = AgglomerativeClustering(metric="precomputed", linkage="average", **size)
        label = np.asarray(clustering.fit_predict(distance), dtype=np.int64)
        if label.max() + 1 >= least:
            break
    return label


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stability(ArrayResult):
    """Whether ICA finds a network again: iq, share and match as in `Clusters`, each (K,).

    Neither is enough by itself: a cluster may be tight because few runs found it, and loose though
    all did. `again` is their product.
    """

    iq: NDArray[np.float64]
    share: NDArray[np.float64]
    match: NDArray[np.float64]
    n_runs: int
    n_planned: int
    n_converged: int

    @property
    def again(self) -> NDArray[np.float64]:
        """Iq times the share of the runs: (K,)."""
        return self.iq * self.share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reproducibility(ArrayResult):
    """Likeness of each network's partners in halves of the documents.

    Parameters
    ----------
    r : ndarray (n_splits, K)
        abs(r) between a network's two partners, one of each half.
    """

    r: NDArray[np.float64]
    n_documents: int
    n_planned: int
    n_converged: int
    n_runs: int

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over splits: (K,)."""
        return np.asarray(self.r.mean(axis=0))

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation over splits, NaN of a single one: (K,)."""
        if len(self.r) < 2:
            return np.full(self.r.shape[1], np.nan)
        return np.asarray(self.r.std(axis=0, ddof=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizeCurve(ArrayResult):
    """Reproducibility by the number of networks K; not yet measured values are NaN.

    Parameters
    ----------
    sizes : ndarray (n_sizes,)
    median, above_high, above_very_high : ndarray (n_sizes, n_splits)
        Median abs(r) between the partners of two halves, and how many pairs reach `HIGH` and
        `VERY_HIGH`.
    """

    sizes: NDArray[np.int64]
    median: NDArray[np.float64]
    above_high: NDArray[np.float64]
    above_very_high: NDArray[np.float64]
    n_runs: int
    n_converged: int

    def table(self) -> pd.DataFrame:
        """Return means over splits, one row per size that was measured at least once.

        The yield is n² / K, with n the reproduced networks (`HIGH`): their number times their
        share. Their number alone grows with K, and their share alone falls.
        """
        is_measured = ~np.isnan(self.median).all(axis=1)
        high = np.nanmean(self.above_high[is_measured], axis=1)
        return pd.DataFrame(
            {
                "k": self.sizes[is_measured],
                "median_r": np.nanmean(self.median[is_measured], axis=1),
                "n_high": high,
                "n_very_high": np.nanmean(self.above_very_high[is_measured], axis=1),
                "yield": np.square(high) / self.sizes[is_measured],
            }
        )

    @property
    def is_whole(self) -> bool:
        """Whether every size was measured on every split."""
        return not bool(np.isnan(self.median).any())

    def suggested(self) -> int | None:
        """Return the smallest K whose yield is at least `ENOUGH` of the best.

        None before the curve is whole, or when no size has a reproduced network.
        """
        if not self.is_whole:
            return None
        table = self.table()
        best = table["yield"].max()
        if best <= 0:
            return None
        return int(table.loc[table["yield"] >= ENOUGH * best, "k"].min())

    @property
    def still_rises(self) -> bool:
        """Whether the largest size is the suggested one, so that more might be better still."""
        return len(self.sizes) > 1 and self.suggested() == int(self.sizes.max())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Null(ArrayResult):
    """Figures of maps from data without networks.

    Parameters
    ----------
    kurtosis, again : ndarray (K,)
        Excess kurtosis of the maps, and Iq over seeds times the share of the runs.
    r : ndarray (n_splits · K,)
        Split-half abs(r); empty where documents are too few.
    """

    kurtosis: NDArray[np.float64]
    again: NDArray[np.float64]
    r: NDArray[np.float64]
    n_runs: int
    n_converged: int

    def limit(self, name: str, *, quantile: float = 0.95) -> float:
        """Return the null's 95th percentile of a figure; NaN if it has none."""
        values: NDArray[np.float64] = getattr(self, name)
        return float(np.quantile(values, quantile)) if values.size else float("nan")


Result = Stability | Reproducibility | SizeCurve | Null | Members


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """Everything measured so far on the networks of one atlas; None where not yet."""

    seeds: Stability | None = None
    bootstrap: Stability | None = None
    halves: Reproducibility | None = None
    rotated: Reproducibility | None = None
    members: Members | None = None
    shifted_members: Members | None = None
    sizes: SizeCurve | None = None
    gaussian: Null | None = None
    shift: Null | None = None

    def limits(self) -> dict[tuple[str, str], float]:
        """Return the 95th percentile of each figure (`SPEAKS_TO`), by null and figure."""
        nulls = {"gaussian": self.gaussian, "shift": self.shift}
        return {
            (name, figure): null.limit(figure)
            for name, null in nulls.items()
            if null is not None
            for figure in SPEAKS_TO[name]
            if getattr(null, figure).size
        }

    @property
    def recurrence(self) -> Beside | None:
        """Split-half r of networks beside that of random rotations; None without either."""
        if self.halves is None or self.rotated is None:
            return None
        return Beside(networks=self.halves.mean, control={ROTATED: self.rotated.mean})

    def recurrence_sentence(self) -> str:
        """Return how networks come back in halves, and how random directions do, in words."""
        if self.halves is None:
            return ""
        text = f"|r| of networks between halves of {self.halves.n_documents} documents:"
        if self.recurrence is not None:
            return f"{text} {self.recurrence.sentence(HIGH)}"
        alone = Beside(networks=self.halves.mean, control={})
        return f"{text} {alone.sentence(HIGH)}"

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def columns(self) -> pd.DataFrame:
        """Return one row per network: again_seeds, again_bootstrap, reproducibility, their parts.

        Columns of parts that were not measured are missing.
        """
        columns: dict[str, NDArray[Any]] = {}
        for name, stability in (("seeds", self.seeds), ("bootstrap", self.bootstrap)):
            if stability is not None:
                columns |= {f"again_{name}": stability.again, f"iq_{name}": stability.iq}
                columns |= {f"runs_{name}": stability.share, f"match_{name}": stability.match}
        if self.halves is not None:
            columns |= {"reproducibility": self.halves.mean, "reproducibility_sd": self.halves.sd}
        if self.members is not None:
            columns |= {"members": self.members.n}
        return pd.DataFrame(columns)
