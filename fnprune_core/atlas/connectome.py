"""The connectome: how networks go together in time and in place, and what groups they form.

Tokens are autocorrelated, so a p-value that counts tokens would be far too small: none is given.
Where there is an interval, documents were resampled.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import networkx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import silhouette_score

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.sessions import document_codes

MOST_GROUPS = 16
LEAST_DOCUMENTS = 8
_PULL = 0.15  # of the strongest edge: stronger ones draw a group into one point


def usable_courses(atlas: NetworkAtlas, *, within_sessions: bool = False) -> NDArray[np.float64]:
    """Return time courses without dummy tokens: (K, n_usable).

    Parameters
    ----------
    within_sessions : bool
        Take each session's mean away, and with it what merely tells one text from another: two
        networks of one domain then correlate only if they rise and fall together inside it.
    """
    courses = atlas.time_courses[:, ~atlas.is_dummy].astype(np.float64)
    if within_sessions:
        session = pd.factorize(atlas.tokens["session"].to_numpy()[~atlas.is_dummy])[0]
        membership = np.eye(session.max() + 1)[session]
        courses -= (courses @ membership / membership.sum(axis=0))[:, session]
    return courses


def connectivity(atlas: NetworkAtlas, *, within_sessions: bool = False) -> NDArray[np.float64]:
    """Return the correlation of time courses over usable tokens (FNC): (K, K).

    `NetworkAtlas.functional_connectivity`, or the same within sessions.
    """
    if not within_sessions:
        return atlas.functional_connectivity()
    return np.atleast_2d(np.corrcoef(usable_courses(atlas, within_sessions=True)))


def partial_correlation(
    atlas: NetworkAtlas, *, within_sessions: bool = False
) -> NDArray[np.float64]:
    """Return the correlation of each pair given all other networks: (K, K), 1 on the diagonal.

    From the inverse of the correlation matrix after Ledoit and Wolf (2004). Its shrinkage is a
    closed formula; the graphical lasso would need a penalty chosen by leaving out tokens, which
    are no independent samples, and would set to zero what is only small.
    """
    courses = usable_courses(atlas, within_sessions=within_sessions)
    scale = courses.std(axis=1, keepdims=True)
    standard = (courses - courses.mean(axis=1, keepdims=True)) / np.where(scale > 0, scale, 1.0)
    covariance, _ = ledoit_wolf(standard.T, assume_centered=True)
    precision = np.linalg.inv(covariance)
    root = np.sqrt(np.diag(precision))
    partial = -precision / np.outer(root, root)
    np.fill_diagonal(partial, 1.0)
    return np.asarray((partial + partial.T) / 2, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interval:
    """Bounds of a matrix (K, K) by resampling documents.

    Parameters
    ----------
    low, high : ndarray (K, K)
    level : float
        Share of the resamples between them.
    n_documents, n_resamples : int
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    n_documents: int
    n_resamples: int


def connectivity_interval(
    atlas: NetworkAtlas, *, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return bounds of each correlation, by resampling documents.

    Whole documents are drawn with replacement: tokens of one document are not independent, nor
    are the parts of a text that was cut (`document_codes`).

    Raises
    ------
    SettingsError
        If there are fewer than `LEAST_DOCUMENTS` documents.
    """
    document = pd.factorize(document_codes(atlas.tokens)[~atlas.is_dummy])[0]
    n_documents = int(document.max()) + 1
    if n_documents < LEAST_DOCUMENTS:
        raise SettingsError(
            f"{n_documents} documents are too few to resample.",
            hint=f"Record at least {LEAST_DOCUMENTS} documents to see an interval.",
        )
    courses = usable_courses(atlas)
    courses -= courses.mean(axis=1, keepdims=True)
    k = len(courses)
    n_document_tokens = np.bincount(document).astype(np.float64)
    sums, products = np.empty((n_documents, k)), np.empty((n_documents, k * k))
    for number in range(n_documents):
        document_courses = courses[:, document == number]
        sums[number], products[number] = (
            document_courses.sum(axis=1),
            (document_courses @ document_courses.T).ravel(),
        )
    rng = np.random.default_rng(seed)
    times_drawn = rng.multinomial(
        n_documents, np.full(n_documents, 1 / n_documents), size=n_resamples
    )
    total = times_drawn @ n_document_tokens
    mean = times_drawn @ sums / total[:, None]
    resampled = np.empty((n_resamples, k, k), dtype=np.float32)
    for row in range(n_resamples):  # one at a time: a quarter of the memory
        covariance = (times_drawn[row] @ products).reshape(k, k) / total[row]
        covariance -= np.outer(mean[row], mean[row])
        root = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        resampled[row] = covariance / np.outer(root, root)
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return Interval(
        low=low.astype(np.float64),
        high=high.astype(np.float64),
        level=level,
        n_documents=n_documents,
        n_resamples=n_resamples,
    )


# Overlap of maps -------------------------------------------------------------------------------


def strength_overlap(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return the correlation of |z| of each pair of maps over alive units: (K, K).

    Of |z|, for spatial ICA makes the maps themselves uncorrelated: what two networks may still
    share is which units take part. Summed layer by layer; O(K² · units).
    """
    k, alive_by_layer = atlas.n_networks, atlas.layout.split(atlas.decomposition.alive)
    sums, products, n_alive = np.zeros(k), np.zeros((k, k)), 0
    for maps, layer_alive in zip(atlas.layout.split(atlas.maps), alive_by_layer, strict=True):
        strength = np.abs(maps[:, layer_alive]).astype(np.float64)
        sums += strength.sum(axis=1)
        products += strength @ strength.T
        n_alive += strength.shape[1]
    covariance = products / n_alive - np.outer(sums, sums) / n_alive**2
    root = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    return np.asarray(covariance / np.outer(root, root), dtype=np.float64)


def shared_units(atlas: NetworkAtlas, *, z: float | None = None) -> NDArray[np.int64]:
    """Return how many units belong to both networks; sizes on the diagonal: (K, K)."""
    return _shared_between(atlas.membership(z=z), atlas.layout)


def _shared_between(belongs: NDArray[np.bool_], layout: UnitLayout) -> NDArray[np.int64]:
    total = np.zeros((len(belongs), len(belongs)), dtype=np.int64)
    for of_layer in layout.split(belongs):
        membership = of_layer.astype(np.float32)  # a layer's counts are exact in float32
        total += np.rint(membership @ membership.T).astype(np.int64)
    return total


def dice(atlas: NetworkAtlas, *, z: float | None = None) -> NDArray[np.float64]:
    """Return shared units over the mean size, of the units that belong to networks: (K, K)."""
    return dice_between(atlas.membership(z=z), atlas.layout)


def dice_between(belongs: NDArray[np.bool_], layout: UnitLayout) -> NDArray[np.float64]:
    """Return shared units over the mean size, given which units belong to what: (K, K).

    Parameters
    ----------
    belongs : ndarray (K, n_units)
    """
    shared = _shared_between(belongs, layout)
    size = np.diag(shared)
    size_sum = size[:, None] + size[None, :]
    return np.asarray(2 * shared / np.where(size_sum > 0, size_sum, 1), dtype=np.float64)


def jaccard(atlas: NetworkAtlas, *, z: float | None = None) -> NDArray[np.float64]:
    """Return shared units over units of either, of the units that belong to networks: (K, K)."""
    shared = shared_units(atlas, z=z)
    size = np.diag(shared)
    union = size[:, None] + size[None, :] - shared
    return np.asarray(shared / np.where(union > 0, union, 1), dtype=np.float64)


# Groups and order ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Groups of networks, and an order in which similar networks are neighbours.

    Parameters
    ----------
    label : ndarray (K,)
        Group of each network, numbered along the order.
    order : ndarray (K,)
        Leaves of the tree; each group is one run of it.
    tree : ndarray (K − 1, 4)
        As `scipy.cluster.hierarchy.linkage` makes it.
    silhouette : dict
        Number of groups → mean silhouette, for each number that the rule looked at.
    is_by_rule : bool
        Whether the number of groups is the one with the largest silhouette.
    """

    label: NDArray[np.int64]
    order: NDArray[np.int64]
    tree: NDArray[np.float64]
    silhouette: dict[int, float]
    is_by_rule: bool

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.label.max() + 1)

    def members(self, group: int) -> NDArray[np.int64]:
        """Return a group's networks in the tree's order."""
        return np.asarray(self.order[self.label[self.order] == group], dtype=np.int64)


def group_networks(
    similarity: NDArray[np.floating], *, n_groups: int | None = None, most: int = MOST_GROUPS
) -> Groups:
    """Return groups of networks by Ward's hierarchical clustering.

    The distance is √(2 (1 − similarity)), which for correlations is the distance between the
    standardised time courses, so that Ward's criterion holds exactly. Leaves are ordered so that
    neighbours are as similar as the tree allows (optimal leaf ordering).

    Parameters
    ----------
    similarity : ndarray (K, K)
        Symmetric, at most 1.
    n_groups : int, optional
        By default the number from 2 to `most` with the largest mean silhouette; a small
        silhouette says that networks form no clear groups, whatever the number.
    """
    k = len(similarity)
    if n_groups is not None and not 1 <= n_groups <= k:
        raise SettingsError(f"{k} networks cannot form {n_groups} groups.")
    if k < 3:
        label = np.arange(k) if n_groups == k else np.zeros(k, dtype=np.int64)
        return Groups(
            label=label, order=np.arange(k), tree=np.empty((0, 4)), silhouette={}, is_by_rule=False
        )
    symmetric = (np.asarray(similarity, dtype=np.float64) + np.asarray(similarity).T) / 2
    distance = np.sqrt(2 * np.maximum(1 - symmetric, 0.0))
    np.fill_diagonal(distance, 0.0)
    condensed = squareform(distance, checks=False)
    tree = optimal_leaf_ordering(linkage(condensed, "ward"), condensed)
    cuts = {n: fcluster(tree, n, "maxclust") for n in range(2, min(most, k - 1) + 1)}
    silhouette = {
        n: float(silhouette_score(distance, cut, metric="precomputed"))
        for n, cut in cuts.items()
        if len(np.unique(cut)) == n  # equal distances cannot be cut everywhere
    }
    by_rule = max(silhouette, key=silhouette.__getitem__) if silhouette else 1
    n_chosen = by_rule if n_groups is None else n_groups
    order = leaves_list(tree).astype(np.int64)
    cluster = fcluster(tree, n_chosen, "maxclust")
    rank = {old: new for new, old in enumerate(dict.fromkeys(cluster[order].tolist()))}
    return Groups(
        label=np.array([rank[old] for old in cluster.tolist()], dtype=np.int64),
        order=order,
        tree=np.asarray(tree, dtype=np.float64),
        silhouette=silhouette,
        is_by_rule=n_groups is None,
    )


def group_table(
    atlas: NetworkAtlas, groups: Groups, similarity: NDArray[np.floating]
) -> pd.DataFrame:
    """Return one row per group: its networks, how alike they are, and what they share.

    Columns: group, n_networks, networks (list), within and outside (mean similarity to one
    another and to all others; NaN where there is no pair), domain and domain_share (of the
    members' mean energy per token), first_layer and last_layer (of the members' peaks), words
    (tokens among the top 20 of at least two members, most common first).
    """
    peak, share = atlas.table()["peak_layer"].to_numpy(), atlas.domain_share()
    rows = []
    for group in range(groups.n_groups):
        members = groups.members(group)
        others = np.setdiff1d(np.arange(atlas.n_networks), members)
        within = similarity[np.ix_(members, members)][np.triu_indices(len(members), 1)]
        outside = similarity[np.ix_(members, others)]
        mean_share = share[members].mean(axis=0)
        top_domain = int(mean_share.argmax())
        rows.append(
            {
                "group": group,
                "n_networks": len(members),
                "networks": members.tolist(),
                "within": float(within.mean()) if within.size else np.nan,
                "outside": float(outside.mean()) if outside.size else np.nan,
                "domain": atlas.domain_names[top_domain],
                "domain_share": float(mean_share[top_domain]),
                "first_layer": int(peak[members].min()),
                "last_layer": int(peak[members].max()),
                "words": shared_words(atlas, members),
            }
        )
    return pd.DataFrame(rows)


def shared_words(
    atlas: NetworkAtlas, networks: Sequence[int] | NDArray[np.integer], *, n: int = 6
) -> list[str]:
    """Return tokens among the top 20 of at least two of the networks, most common first."""
    counts: Counter[str] = Counter()
    for network in networks:
        texts = [str(text).strip() for text in atlas.top_tokens(int(network), n=20)["text"]]
        counts.update(list(dict.fromkeys(text for text in texts if text)))  # strongest first
    return [text for text, count in counts.most_common(n) if count > 1]


def partners(values: NDArray[np.floating], network: int, *, n: int = 8) -> NDArray[np.int64]:
    """Return the networks with the largest |value| in a network's row, without itself."""
    strength = np.abs(values[network]).astype(np.float64)
    strength[network] = -np.inf
    return np.argsort(-strength, kind="stable")[: min(n, len(strength) - 1)].astype(np.int64)


def strongest_edges(values: NDArray[np.floating], *, share: float) -> NDArray[np.int64]:
    """Return the pairs with the largest |value|, strongest first: (n_edges, 2), first < second.

    Parameters
    ----------
    share : float
        Of all pairs, in (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingsError(f"The share of pairs must be above 0 and at most 1, got {share}.")
    first, second = np.triu_indices(len(values), 1)
    strength = np.abs(values[first, second])
    order = np.argsort(-strength, kind="stable")[: max(1, round(share * len(first)))]
    return np.stack([first[order], second[order]], axis=1).astype(np.int64)


def graph_places(
    values: NDArray[np.floating], edges: NDArray[np.integer], *, seed: int = 0
) -> NDArray[np.float64]:
    """Return a place for each network by a force-directed layout of its edges: (K, 2), −1 to 1.

    Fruchterman & Reingold's forces from networkx, with |value| as the springs' strength; networks
    without an edge end up on the rim. Distances in such a drawing are no measurements.
    """
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(values)))
    if len(edges):
        strength = np.abs(values[edges[:, 0], edges[:, 1]])
        weights = _PULL * strength / max(float(strength.max()), 1e-12)
        graph.add_weighted_edges_from(
            (int(a), int(b), float(w)) for (a, b), w in zip(edges, weights, strict=True)
        )
    spring_length = 4.0 / np.sqrt(max(len(values), 1))
    positions = networkx.spring_layout(graph, k=spring_length, iterations=200, seed=seed)
    return np.array([positions[k] for k in range(len(values))], dtype=np.float64)
