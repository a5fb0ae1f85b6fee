"""Embeddings of planted groups: they separate; the sample keeps its promises; found again."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fnprune_core.atlas import embedding as embeddings
from fnprune_core.atlas.embedding import (
    EmbeddingSettings,
    build_embedding,
    place_networks,
    sample_units,
    unit_features,
)
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import Cancelled, CancelToken, ProgressEvent

LAYOUT = UnitLayout((90, 60, 30))
N_NETWORKS = 4


def planted_maps(layout: UnitLayout = LAYOUT, *, seed: int = 0) -> np.ndarray:
    """A third of the units have one strong network each, one in six of them negatively."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(0, 0.5, (N_NETWORKS, layout.n_units))
    members = rng.permutation(layout.n_units)[: layout.n_units // 3]
    owner = rng.integers(N_NETWORKS, size=len(members))
    maps[owner, members] = rng.choice([-1, 1, 1, 1, 1, 1], len(members)) * 6
    return maps.astype(np.float32)


def an_atlas(maps: np.ndarray, layout: UnitLayout = LAYOUT, id: str = "planted") -> NetworkAtlas:
    n = len(maps)
    rng = np.random.default_rng(1)
    courses = rng.normal(size=(n, 60)).astype(np.float32)
    decomposition = Decomposition(
        spatial_maps=maps.copy(), time_courses=courses, run_agreement=np.full(n, np.nan),
        variance_alone=np.ones(n), variance_left_out=np.ones(n), variance_explained=0.5,
        layer_of_network=np.full(n, -1), alive=np.ones(layout.n_units, dtype=bool),
        n_iter=np.ones(1, dtype=int), converged=np.ones(1, dtype=bool), layout=layout,
        recording_id="r", fingerprint="f", settings={}, id=id,
    )  # fmt: skip
    tokens = pd.DataFrame({"is_dummy": np.zeros(60, dtype=bool)})
    return NetworkAtlas(decomposition, tokens)


@pytest.fixture(scope="module")
def placed():
    """The planted units in the plane, with every event of progress."""
    events: list[ProgressEvent] = []
    maps = planted_maps()
    embedding = build_embedding(an_atlas(maps), progress=events.append)
    return SimpleNamespace(maps=maps, embedding=embedding, events=events)


def test_planted_groups_lie_apart(placed) -> None:
    strength = np.abs(placed.maps)
    member, owner = strength.max(axis=0) > 3, strength.argmax(axis=0)
    # a network's two poles are two groups
    pole = owner * 2 + (placed.maps[owner, np.arange(LAYOUT.n_units)] > 0)
    places = placed.embedding.places[member]
    away = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    alike = pole[member][away.argmin(axis=1)] == pole[member]
    assert alike.mean() > 0.95
    assert placed.embedding.same_network > 0.6 > 2 * placed.embedding.same_network_chance
    assert placed.embedding.trustworthiness > 0.85


def test_progress_tells_the_stages(placed) -> None:
    stages = {event.stage: event for event in placed.events}
    assert list(stages) == ["layout", "networks"]


def test_the_same_seed_gives_the_same_places(placed) -> None:
    again = build_embedding(an_atlas(placed.maps))
    assert np.array_equal(again.places, placed.embedding.places)


def test_all_units_are_shown_where_they_fit(placed) -> None:
    assert np.array_equal(placed.embedding.units, np.arange(180))
    assert placed.embedding.sampling_rule == "All 180 units that vary are shown."


def test_a_sample_keeps_the_share_of_layers_and_networks() -> None:
    layout = UnitLayout((6000, 3000, 1000))
    maps = planted_maps(layout)
    alive = np.ones(layout.n_units, dtype=bool)
    alive[:3000] = False
    settings = EmbeddingSettings(n_units=1000, least_members=5)
    units = sample_units(maps, alive, layout, settings)
    assert len(np.unique(units)) == 1000
    assert alive[units].all()
    layers = np.bincount(layout.layer_of_unit[units])
    assert np.abs(layers - np.array([3000, 3000, 1000]) / 7).max() < 1
    strength = np.abs(maps)
    for layer in range(3):
        own = alive & (layout.layer_of_unit == layer)
        drawn = units[layout.layer_of_unit[units] == layer]
        for k in range(N_NETWORKS):
            of_network = strength[k] > 3
            assert of_network[drawn].mean() == pytest.approx(of_network[own].mean(), abs=0.04)
    assert np.array_equal(units, sample_units(maps, alive, layout, settings))
    other = sample_units(maps, alive, layout, EmbeddingSettings(n_units=1000, seed=1))
    assert not np.array_equal(units, other)


def test_a_tiny_network_is_in_the_sample_and_the_rule_says_so() -> None:
    layout = UnitLayout((5000, 5000))
    maps = np.zeros((3, layout.n_units), dtype=np.float32)
    maps[1, 4000:4012] = 5.0  # 12 of 10,000: a plain sample of 100 would hold none
    settings = EmbeddingSettings(n_units=100, least_members=8)
    units = sample_units(maps, np.ones(layout.n_units, dtype=bool), layout, settings)
    assert ((units >= 4000) & (units < 4012)).sum() >= 8
    assert np.bincount(layout.layer_of_unit[units]).tolist() == [50, 50]
    embedding = embeddings.Embedding(
        units=units, places=np.zeros((100, 2), dtype=np.float32),
        networks_by_map=np.zeros((3, 2)), networks_by_course=np.zeros((3, 2)), n_alive=10_000,
        trustworthiness=1, same_network=1, same_network_chance=1, settings=settings,
    )  # fmt: skip
    assert "100 of 10,000 units" in embedding.sampling_rule
    assert "at least 8 units with |z| above" in embedding.sampling_rule


def test_members_never_crowd_out_a_layers_share() -> None:
    layout = UnitLayout((1000, 1000))
    maps = np.zeros((3, layout.n_units), dtype=np.float32)
    maps[:, :1000] = 5.0  # all members are in the first layer
    settings = EmbeddingSettings(n_units=40, least_members=500)
    units = sample_units(maps, np.ones(layout.n_units, dtype=bool), layout, settings)
    assert np.bincount(layout.layer_of_unit[units]).tolist() == [20, 20]


def test_features_tell_sign_and_strength_apart() -> None:
    maps = np.array([[3.0, -3.0, 6.0], [0.1, 0.1, 0.2]], dtype=np.float32)
    likeness = unit_features(maps, np.arange(3)) @ unit_features(maps, np.arange(3)).T
    assert likeness[0, 2] == pytest.approx(1)
    assert likeness[0, 1] < -0.99


def test_like_networks_are_neighbours_and_few_lie_on_a_circle() -> None:
    group = np.repeat(np.arange(4), 5)
    distance = np.where(group[:, None] == group[None], 0.1, 1.0)
    np.fill_diagonal(distance, 0)
    places = place_networks(distance)
    away = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    assert (group[away.argmin(axis=1)] == group).all()
    assert np.allclose(np.linalg.norm(place_networks(np.ones((5, 5))), axis=1), 1)


def test_too_few_networks_and_a_stop_are_told() -> None:
    with pytest.raises(SettingsError, match="2 networks"):
        build_embedding(an_atlas(planted_maps()[:2]))
    with pytest.raises(SettingsError, match="at least 16"):
        EmbeddingSettings(n_units=3)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        build_embedding(an_atlas(planted_maps()), cancel=token)


def test_an_embedding_is_found_again_and_damage_is_told(workspace, placed, monkeypatch) -> None:
    maps = placed.maps
    monkeypatch.setattr(embeddings, "open_atlas", lambda *_: an_atlas(maps, id="a" * 16))
    built = []

    def build(*arguments, **options):
        built.append(1)
        return placed.embedding

    monkeypatch.setattr(embeddings, "build_embedding", build)
    assert not embeddings.has_embedding(workspace, "a" * 16)
    id = embeddings.embed(workspace, "a" * 16)
    assert embeddings.embed(workspace, "a" * 16) == id == embeddings.embedding_id("a" * 16)
    assert built == [1]
    assert embeddings.has_embedding(workspace, "a" * 16)
    again = embeddings.open_embedding(workspace, id)
    assert np.array_equal(again.places, placed.embedding.places)
    assert again.settings == placed.embedding.settings
    assert (again.id, again.n_alive) == (id, 180)
    folder = workspace.folder("embeddings", id)
    facts = json.loads((folder / "manifest.json").read_text())
    assert facts["inputs"]["settings"]["seed"] == 0
    (folder / "embedding.safetensors").write_bytes(b"short")
    with pytest.raises(CorruptArtifactError, match="damaged"):
        embeddings.open_embedding(workspace, id)
