"""Units and networks as points in a plane: those that behave alike lie side by side (t-SNE).

A unit is described by its signed z² in every network, and compared with others by the cosine:
squares let its strongest networks count, where plain z drowns them in the many weak ones. The two
poles of a network lie apart. Only near neighbours mean something in such a picture: distances
between far groups, their sizes and gaps do not.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint
from fnprune_core.decomposition.numbering import is_of_networks_here
from fnprune_core.decomposition.stability import absolute_correlation
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

_ARRAYS = "embedding.safetensors"
_N_JUDGED = 2000
_N_STEPS = 500  # of the layout; twice as many move the example's neighbours by under 1 %


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSettings:
    """Settings of an embedding: the sample of units and the layout by t-SNE.

    Parameters
    ----------
    n_units : int
        Most units to place; of more, a stratified sample (`sample_units`).
    perplexity : float
        About how many neighbours are kept close (van der Maaten & Hinton 2008).
    z : float
        |z| above which units count for a network in the sampling rule and in `same_network`. Both
        are of this rule also where the atlas's members are known: the places do not change then.
    least_members : int
        Such units of each network that the sample holds at least, if it has so many.
    seed : int
        Of the sample and the layout.
    """

    n_units: int = 8000
    perplexity: float = 30.0
    z: float = 3.0
    least_members: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_units < 16:
            raise SettingsError(f"An embedding needs at least 16 units, got {self.n_units}.")
        if not self.perplexity >= 1:
            raise SettingsError(f"The perplexity must be at least 1, got {self.perplexity}.")
        if self.seed < 0 or self.least_members < 0:
            raise SettingsError("The seed and least_members must not be negative.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """Places of units and of networks in the plane.

    Parameters
    ----------
    units : ndarray (n,)
        Flat indices of the placed units, ascending.
    places : ndarray (n, 2)
        Of the units, in the same order.
    networks_by_map, networks_by_course : ndarray (K, 2)
        Places of the networks: near where their |z| maps are alike, or where they are active
        at the same tokens.
    n_alive : int
        Units that vary, from which `units` were taken.
    trustworthiness : float
        Of the units' places (Venna & Kaski 2001): 1 where no stranger is among the neighbours.
    same_network : float
        Of placed units with |z| above `z`: mean share of the 15 nearest that have the same
        strongest network.
    same_network_chance : float
        The same share if places meant nothing.
    settings : EmbeddingSettings
    """

    units: NDArray[np.int64]
    places: NDArray[np.float32]
    networks_by_map: NDArray[np.float32]
    networks_by_course: NDArray[np.float32]
    n_alive: int
    trustworthiness: float
    same_network: float
    same_network_chance: float
    settings: EmbeddingSettings
    id: str = ""

    @property
    def sampling_rule(self) -> str:
        """One sentence: how many units of how many, and by what rule."""
        n_shown, n_alive, settings = len(self.units), self.n_alive, self.settings
        if n_shown == n_alive:
            return f"All {n_alive:,} units that vary are shown."
        return (
            f"{n_shown:,} of {n_alive:,} units that vary are shown: every layer keeps its share, "
            f"in it every network keeps its own, and at least {settings.least_members} units "
            f"with |z| above {settings.z:g} of each network are in as far as a layer's share "
            f"allows; drawn with seed {settings.seed}."
        )

    def save(self, target: Path, inputs: dict[str, Any], *, maps: MapsFingerprint) -> None:
        """Write the embedding as an artifact folder, at once."""
        facts = {name: getattr(self, name) for name in _FACTS} | {KEY: maps.to_json()}
        with new_folder(target) as folder:
            save_arrays({name: getattr(self, name) for name in _FIELDS}, folder / _ARRAYS)
            write_json(folder / MANIFEST, manifest_of("embeddings", inputs, facts))

    @classmethod
    def load(cls, folder: Path) -> "Embedding":
        """Read an embedding from its artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it; the embedding is computed again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            fields: dict[str, Any] = {name: arrays[name] for name in _FIELDS}
            return cls(
                **fields,
                **{name: manifest[name] for name in _FACTS},
                settings=EmbeddingSettings(**manifest["inputs"]["settings"]),
                id=folder.name,
            )


_FIELDS = ("units", "places", "networks_by_map", "networks_by_course")
_FACTS = ("n_alive", "trustworthiness", "same_network", "same_network_chance")


def sample_units(
    maps: NDArray[np.floating],
    alive: NDArray[np.bool_],
    layout: UnitLayout,
    settings: EmbeddingSettings,
) -> NDArray[np.int64]:
    """Return the flat units to place, ascending: all that vary, or a stratified sample.

    Each layer gets its share of `n_units` to one unit. First come `least_members` random members
    of each network; the rest of a layer's share is a systematic sample of its other units sorted
    by strongest network, so that every network (and no network) keeps its share as well.

    Parameters
    ----------
    maps : ndarray (K, n_units)
        z maps.
    """
    alive_units = np.flatnonzero(alive)
    if len(alive_units) <= settings.n_units:
        return alive_units
    rng = np.random.default_rng(settings.seed)
    strength = np.abs(maps)
    strongest = np.where(strength.max(axis=0) > settings.z, strength.argmax(axis=0), len(maps))
    is_sampled = np.zeros(layout.n_units, dtype=bool)
    for network_strength in strength:
        members = alive_units[network_strength[alive_units] > settings.z]
        unsampled = members[~is_sampled[members]]
        n_wanted = min(settings.least_members - int(is_sampled[members].sum()), len(unsampled))
        if n_wanted > 0:
            is_sampled[rng.choice(unsampled, n_wanted, replace=False)] = True
    layer = layout.layer_of_unit[alive_units]
    quotas = _shares(np.bincount(layer, minlength=layout.n_layers), settings.n_units)
    for number, quota in enumerate(quotas.tolist()):
        in_layer = alive_units[layer == number]
        sampled, unsampled = in_layer[is_sampled[in_layer]], in_layer[~is_sampled[in_layer]]
        n_wanted = quota - len(sampled)
        if n_wanted < 0:  # the networks' members are more than the layer's share
            is_sampled[rng.choice(sampled, -n_wanted, replace=False)] = False
        elif n_wanted > 0:
            unsampled = unsampled[np.lexsort((rng.random(len(unsampled)), strongest[unsampled]))]
            step = len(unsampled) / n_wanted
            positions = ((np.arange(n_wanted) + rng.random()) * step).astype(np.int64)
            is_sampled[unsampled[np.minimum(positions, len(unsampled) - 1)]] = True
    return np.flatnonzero(is_sampled)


def _shares(counts: NDArray[np.integer], total: int) -> NDArray[np.int64]:
    """Return whole numbers in proportion to `counts` that sum to `total` (largest remainder)."""
    exact = counts / counts.sum() * total
    rounded: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest = np.argsort(rounded - exact, kind="stable")[: total - int(rounded.sum())]
    rounded[largest] += 1
    return rounded


def unit_features(maps: NDArray[np.floating], units: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return units as points on the unit sphere, their signed z² in each network: (n, K)."""
    z = maps[:, units].T.astype(np.float32)
    profile = np.sign(z) * np.square(z)
    norm = np.linalg.norm(profile, axis=1, keepdims=True)
    return np.asarray(profile / np.where(norm > 0, norm, 1.0), dtype=np.float32)


def place_units(
    features: NDArray[np.float32],
    *,
    settings: EmbeddingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float32]:
    """Return places of units from `unit_features`: (n, 2). A stop waits for the layout's end."""
    progress(ProgressEvent(stage="layout", done=0, total=1, unit="layouts"))
    places = _tsne(features, settings.perplexity, settings.seed, metric="cosine", init="pca")
    cancel.raise_if_cancelled()
    return places


def _tsne(
    points: NDArray[np.floating], perplexity: float, seed: int, **options: Any
) -> NDArray[np.float32]:
    """Run t-SNE in one thread: the sums of several come in no fixed order, and places with them."""
    perplexity = min(perplexity, (len(points) - 1) / 3)
    with threadpool_limits(1, user_api="openmp"):
        tsne = TSNE(perplexity=perplexity, max_iter=_N_STEPS, random_state=seed, **options)
        return np.asarray(tsne.fit_transform(points), dtype=np.float32)


def places_by_course(atlas: NetworkAtlas, *, seed: int) -> NDArray[np.float32]:
    """Return places of networks, (K, 2), near to those that rise and fall with them."""
    return place_networks(1 - atlas.functional_connectivity(), seed=seed)


def place_networks(distance: NDArray[np.float64], *, seed: int = 0) -> NDArray[np.float32]:
    """Return places of networks from their distances (K, K): (K, 2)."""
    n = len(distance)
    if n < 6:  # too few for a graph of neighbours: on a circle, in order
        angle = 2 * np.pi * np.arange(n) / n
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    return _tsne(distance.clip(min=0.0), 5.0, seed, metric="precomputed", init="random")


def _same_network_share(
    places: NDArray[np.float32], strongest: NDArray[np.integer], *, n_neighbors: int = 15
) -> tuple[float, float]:
    """Return the share of members' nearest members with the same network, and chance."""
    if len(places) < 2:
        return 0.0, 0.0
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(places) - 1)).fit(places)
    near = search.kneighbors(return_distance=False)
    share = float((strongest[near] == strongest[:, None]).mean())
    counts = np.bincount(strongest)
    n = len(strongest)
    return share, float((counts * (counts - 1)).sum() / (n * (n - 1)))


def build_embedding(
    atlas: NetworkAtlas,
    settings: EmbeddingSettings | None = None,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Embedding:
    """Place a sample of an atlas's units, and its networks, in the plane.

    Raises
    ------
    SettingsError
        If there are fewer than 3 networks or 16 units that vary: profiles would say nothing.
    """
    settings = settings or EmbeddingSettings()
    alive = atlas.decomposition.alive
    n_alive = int(alive.sum())
    if atlas.n_networks < 3 or n_alive < 16:
        raise SettingsError(
            f"Units cannot be told apart by {atlas.n_networks} networks and {n_alive} units.",
            hint="Decompose into at least 3 networks.",
        )
    units = sample_units(atlas.maps, alive, atlas.layout, settings)
    features = unit_features(atlas.maps, units)
    places = place_units(features, settings=settings, progress=progress, cancel=cancel)
    strength = np.abs(atlas.maps[:, units])
    member = strength.max(axis=0) > settings.z
    same_share, chance = _same_network_share(places[member], strength.argmax(axis=0)[member])
    judged = np.random.default_rng(settings.seed).permutation(len(units))[:_N_JUDGED]
    n_near = min(15, (len(judged) - 1) // 2)
    trust = trustworthiness(features[judged], places[judged], n_neighbors=n_near, metric="cosine")
    alive_strength = np.abs(atlas.maps[:, alive])
    by_map = place_networks(
        1 - absolute_correlation(alive_strength, alive_strength), seed=settings.seed
    )
    cancel.raise_if_cancelled()
    by_course = places_by_course(atlas, seed=settings.seed)
    progress(ProgressEvent(stage="networks", done=2, total=2, unit="maps"))
    return Embedding(
        units=units,
        places=places,
        networks_by_map=by_map,
        networks_by_course=by_course,
        n_alive=n_alive,
        trustworthiness=float(trust),
        same_network=same_share,
        same_network_chance=chance,
        settings=settings,
    )


def embedding_id(decomposition_id: str, settings: EmbeddingSettings | None = None) -> str:
    """Return the id of a decomposition's embedding with these settings."""
    return artifact_id("embeddings", _inputs(decomposition_id, settings or EmbeddingSettings()))


def _inputs(decomposition_id: str, settings: EmbeddingSettings) -> dict[str, Any]:
    return {"decomposition_id": decomposition_id, "settings": asdict(settings)}


def has_embedding(workspace: Workspace, decomposition_id: str) -> bool:
    """Whether a decomposition was embedded with the default settings."""
    id = embedding_id(decomposition_id)
    return is_of_networks_here(workspace, "embeddings", id, decomposition_id)


def open_embedding(workspace: Workspace, id: str) -> Embedding:
    """Return an embedding of the workspace; `id` may be an unambiguous beginning."""
    return Embedding.load(workspace.existing("embeddings", id))


def embed(
    workspace: Workspace,
    decomposition_id: str,
    *,
    settings: EmbeddingSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Place units and networks of a decomposition in the plane; return the embedding's id."""
    atlas, settings = open_atlas(workspace, decomposition_id), settings or EmbeddingSettings()
    id = embedding_id(atlas.id, settings)
    if not is_of_networks_here(workspace, "embeddings", id, atlas.id):
        embedding = build_embedding(atlas, settings, progress=progress, cancel=cancel)
        if workspace.has("embeddings", id):  # of other networks under this atlas's id
            workspace.delete("embeddings", id)
        embedding.save(
            workspace.folder("embeddings", id),
            _inputs(atlas.id, settings),
            maps=atlas.maps_fingerprint,
        )
    return id
