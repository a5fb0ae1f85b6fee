"""Cached data of the Connectome page: matrices, groups, layouts and windows of an atlas."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.atlas.connectome.dynamics_figures import Course
from app.atlas.connectome.graph_figures import Nodes
from app.figures.matrix import Arrangement, Measure
from app.shell import resources
from app.shell.caches import trust
from app.shell.caching import cached
from fnprune_core.atlas import connectome, dynamic_connectivity
from fnprune_core.atlas.connectome import Groups, Interval
from fnprune_core.atlas.dynamic_connectivity import DynamicConnectivity, SlidingWindows, States
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError

N_PARTNERS = 5
_MOST_STATE_WINDOWS = 4000

MEASURES: Mapping[str, Measure] = {
    "fnc": Measure(title="Connectivity", says="r", is_signed=True),
    "within": Measure(title="Connectivity within sessions", says="r", is_signed=True),
    "partial": Measure(title="Partial correlation", says="partial r", is_signed=True),
    "overlap": Measure(title="Overlap of |z|", says="r of |z|", is_signed=True),
    "dice": Measure(title="Dice overlap", says="Dice", is_signed=False),
    "jaccard": Measure(title="Jaccard overlap", says="Jaccard", is_signed=False),
}
_VALUES: Mapping[str, Callable[[NetworkAtlas, float | None], NDArray[np.float64]]] = {
    "fnc": lambda atlas, _: connectome.connectivity(atlas),
    "within": lambda atlas, _: connectome.connectivity(atlas, within_sessions=True),
    "partial": lambda atlas, _: connectome.partial_correlation(atlas),
    "overlap": lambda atlas, _: connectome.strength_overlap(atlas),
    "dice": lambda atlas, z: connectome.dice(atlas, z=z),
    "jaccard": lambda atlas, z: connectome.jaccard(atlas, z=z),
}


def needs_threshold(measure: str) -> bool:
    """Whether a measure counts units beyond a threshold."""
    return measure in ("dice", "jaccard")


def values(id: str, measure: str, z: float | None) -> NDArray[np.float64]:
    """Return a measure between all networks: (K, K)."""
    return _values(id, measure, z if needs_threshold(measure) else 0.0)


@cached(max_entries=16)
def _values(id: str, measure: str, z: float | None) -> NDArray[np.float64]:
    return _VALUES[measure](resources.atlas(id), z)


@cached(max_entries=4)
def interval(id: str) -> Interval | None:
    """Return the interval of connectivity over documents, None where they are too few."""
    try:
        return connectome.connectivity_interval(resources.atlas(id))
    except SettingsError:
        return None


def groups(id: str, measure: str, z: float | None, n_groups: int) -> Groups:
    """Return groups of networks by a measure; 0 groups for the number that the rule finds."""
    n = min(n_groups, resources.atlas(id).n_networks)
    return _groups(id, measure, z if needs_threshold(measure) else 0.0, n)


@cached(max_entries=16)
def _groups(id: str, measure: str, z: float | None, n_groups: int) -> Groups:
    return connectome.group_networks(_values(id, measure, z), n_groups=n_groups or None)


@cached(max_entries=16)
def group_table(id: str, measure: str, z: float | None, n_groups: int) -> pd.DataFrame:
    """Return one row per group of networks: its members and what they share."""
    partition = groups(id, measure, z, n_groups)
    return connectome.group_table(resources.atlas(id), partition, values(id, measure, z))


def arrangement(id: str, order: str, partition: Groups) -> Arrangement:
    """Return the order of networks, with its blocks, for a key of `ORDERS`."""
    table = trust.network_table(id)
    if order == "bygroup":
        names = [f"group {group}" for group in partition.label[partition.order]]
        return _blocks(partition.order, names, "ordered by group")
    if order == "bydomain":
        domain = table["top_domain"].astype(str).to_numpy()
        positions = np.lexsort((-table["top_domain_share"].to_numpy(), domain))
        return _blocks(
            positions, domain[positions].tolist(), "ordered by the domain of most energy"
        )
    if order == "bydepth":
        positions = np.argsort(_depth(id), kind="stable")
        return Arrangement(
            order=tuple(positions.tolist()), blocks=(), said="ordered from first layers to last"
        )
    return Arrangement(order=tuple(range(len(table))), blocks=(), said="ordered by number")


def _blocks(order: NDArray[np.integer], names: list[str], description: str) -> Arrangement:
    starts = [i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    blocks = tuple((names[a], a, b) for a, b in pairwise([*starts, len(names)]))
    return Arrangement(order=tuple(order.tolist()), blocks=blocks, said=description)


@cached(max_entries=4)
def _depth(id: str) -> NDArray[np.float64]:
    """Return the mean layer of each network's parcel; without any unit it comes last."""
    return np.asarray(resources.atlas(id).parcel_table()["mean_layer"].fillna(np.inf))


def names(id: str) -> tuple[str, ...]:
    """Return the present names of the networks."""
    return tuple(resources.network_names(id))


def edges(id: str, measure: str, z: float | None, percent: int) -> NDArray[np.int64]:
    """Return the strongest pairs: (n, 2)."""
    return connectome.strongest_edges(values(id, measure, z), share=percent / 100)


@cached(max_entries=16)
def _spring_layout(id: str, measure: str, z: float | None, percent: int) -> NDArray[np.float64]:
    return connectome.graph_places(_values(id, measure, z), edges(id, measure, z, percent))


def nodes(
    id: str, measure: str, z: float | None, *, percent: int, in_cortex: bool, classes: Groups | None
) -> Nodes:
    """Return the nodes of the graph.

    Parameters
    ----------
    in_cortex : bool
        Networks stand at their places in the cortex, where it has been laid out.
    classes : Groups, optional
        Their colours; by domain where none is given.
    """
    table, cortex = trust.network_table(id), resources.cortex(id)
    domains = resources.atlas(id).domain_names
    class_names = domains if classes is None else [f"group {g}" for g in range(classes.n_groups)]
    class_of = (
        [domains.index(str(name)) for name in table["top_domain"]]
        if classes is None
        else classes.label.tolist()
    )
    spring = cortex is None or not in_cortex
    z = z if needs_threshold(measure) else 0.0
    return Nodes(
        places=_spring_layout(id, measure, z, percent)
        if spring or cortex is None
        else cortex.places,
        size=table["variance_alone"].to_numpy(),
        class_of=tuple(class_of),
        classes=tuple(class_names),
        names=names(id),
    )


# Over time -------------------------------------------------------------------------------------


@cached(max_entries=16)
def session_windows(id: str, session: int, width: int) -> DynamicConnectivity:
    """Return the connectivity over one session."""
    windows = SlidingWindows(width=width, step=max(1, width // 16))
    return dynamic_connectivity.dynamic_connectivity(
        resources.atlas(id), windows=windows, sessions=[session]
    )


@cached(max_entries=32)
def course(id: str, session: int, width: int, network: int) -> Course:
    """Return a network's connectivity over a session with its strongest partners."""
    atlas, dynamic = resources.atlas(id), session_windows(id, session, width)
    partners = connectome.partners(values(id, "fnc", 0.0), network, n=N_PARTNERS).tolist()
    low, high = dynamic_connectivity.stationary_band(
        atlas, network, partners, session=session, windows=dynamic.windows
    )
    pieces = atlas.tokens[atlas.tokens["session"] == session].set_index("position")["text"]
    texts = [
        "".join(pieces.loc[position - 4 : position + 4].astype(str))
        for position in dynamic.position
    ]
    return Course(
        network=network,
        partners=tuple(partners),
        values=np.stack([dynamic.of_pair(network, k) for k in partners]),
        low=low,
        high=high,
        position=dynamic.position,
        texts=tuple(texts),
        width=width,
    )


@cached(max_entries=4, spinner="Looking for states")
def states(id: str, width: int, n_states: int) -> tuple[DynamicConnectivity, States]:
    """Return the states of all sessions' windows; of long recordings, of fewer windows."""
    atlas = resources.atlas(id)
    step = max(width // 4, int((~atlas.is_dummy).sum()) // _MOST_STATE_WINDOWS)
    windows = SlidingWindows(width=width, step=step)
    dynamic = dynamic_connectivity.dynamic_connectivity(atlas, windows=windows)
    return dynamic, dynamic_connectivity.connectivity_states(dynamic, n_states=n_states)


def state_domains(id: str, dynamic: DynamicConnectivity, clusters: States) -> list[str]:
    """Return the domain that holds most of each state's windows, and its share of them."""
    session_domains = resources.atlas(id).tokens.groupby("session", observed=True)["domain"].first()
    domain = session_domains.loc[dynamic.session.tolist()].astype(str).to_numpy()
    sentences = []
    for state in range(len(clusters.share)):
        counts = pd.Series(domain[clusters.label == state]).value_counts(normalize=True)
        sentences.append(f"{100 * counts.iloc[0]:.0f} % of it in {counts.index[0]}")
    return sentences


def pair_facts(id: str, a: int, b: int, z: float | None) -> pd.DataFrame:
    """Return every measure of one pair, and the units that they share: measure, value."""
    rows = [
        (measure.title, f"{values(id, name, z)[a, b]:.2f}") for name, measure in MEASURES.items()
    ]
    bounds = interval(id)
    if bounds is not None:
        interval_text = (
            f"{rows[0][1]} ({bounds.low[a, b]:.2f} to {bounds.high[a, b]:.2f} over resamples of "
            f"{bounds.n_documents} documents)"
        )
        rows[0] = (rows[0][0], interval_text)
    n_shared = connectome.shared_units(resources.atlas(id), z=z)
    rows.append(
        (
            f"Units ({resources.atlas(id).rule(z)})",
            f"{n_shared[a, b]:,} shared, of {n_shared[a, a]:,} and {n_shared[b, b]:,}",
        )
    )
    return pd.DataFrame(rows, columns=["measure", "value"])
