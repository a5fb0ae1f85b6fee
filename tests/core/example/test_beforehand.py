"""Shipped results: those of the same networks are taken over, whole, and no others."""

import json
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import tiny
from lesioned import each_network, order
from safetensors.numpy import load

from fnprune_core.atlas.embedding import (
    Embedding,
    EmbeddingSettings,
    embed,
    embedding_id,
    has_embedding,
    places_by_course,
)
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.example import beforehand
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import domain_stimuli
from fnprune_core.lesions.stored import open_lesions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.workflows import example_settings


@pytest.fixture
def shipped(study, tmp_path, monkeypatch):
    """An embedding of the study's atlas, packed, and deleted."""
    monkeypatch.setattr(beforehand, "path", lambda: tmp_path / "results.zip")
    id = embed(study.workspace, study.atlas)
    first = beforehand.pack(study.workspace, study.atlas, [("embeddings", id)])
    assert beforehand.pack(study.workspace, study.atlas, [("embeddings", id)]) == first
    study.workspace.delete("embeddings", id)
    return id


def test_what_is_shipped_is_taken_over_once_and_is_whole(study, shipped) -> None:
    assert beforehand.take_over(study.workspace, study.atlas) == [("embeddings", shipped)]
    assert has_embedding(study.workspace, study.atlas)
    assert {found.standing for found in study.workspace.verify()} == {"sound"}
    assert beforehand.take_over(study.workspace, study.atlas) == []


def test_results_of_other_maps_or_of_another_atlas_are_left(study, shipped, tmp_path) -> None:
    assert beforehand.take_over(Workspace(tmp_path / "empty"), study.atlas) == []
    fewer = GroupICA(n_components=3, n_runs=1, fun="logcosh")
    other = group_ica.decompose(study.workspace, study.recording, settings=fewer)
    assert beforehand.take_over(study.workspace, other) == []
    with zipfile.ZipFile(beforehand.path()) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(parts["index.json"])
    index["maps"] = beforehand.fingerprint_at(study.workspace, other).to_json()
    with zipfile.ZipFile(beforehand.path(), "w") as archive:
        for name, content in {**parts, "index.json": json.dumps(index)}.items():
            archive.writestr(name, content)
    assert beforehand.take_over(study.workspace, study.atlas) == []


def test_a_damaged_file_is_told(study, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(beforehand, "path", lambda: tmp_path / "results.zip")
    assert beforehand.take_over(study.workspace, study.atlas) == []  # a checkout without it
    (tmp_path / "results.zip").write_bytes(b"PK no archive")
    with pytest.raises(CorruptArtifactError, match="Install"):
        beforehand.take_over(study.workspace, study.atlas)


def test_the_shipped_file_is_of_the_examples_settings() -> None:
    with zipfile.ZipFile(beforehand.path()) as archive:
        index = json.loads(archive.read("index.json"))
        assert archive.testzip() is None
    kinds = {kind for kind, _ in index["artifacts"]}
    assert kinds == set(beforehand.KINDS)
    assert len(index["maps"]) == example_settings()[1].n_components
    assert ["embeddings", embedding_id(index["decomposition_id"], EmbeddingSettings())] in index[
        "artifacts"
    ]


@pytest.fixture
def shipped_lesions(study, tmp_path, monkeypatch):
    """A study of lesions of the study's atlas, packed, and deleted."""
    monkeypatch.setattr(beforehand, "path", lambda: tmp_path / "results.zip")
    windows = tiny.toy_windows((16,) * 12, seed=5, n_dummy_tokens=0)
    asked = order(open_atlas(study.workspace, study.atlas), lesions=each_network(3))
    id = lesion_study(study.workspace, study.model, domain_stimuli(windows), order=asked)
    found = open_lesions(study.workspace, id)
    beforehand.pack(study.workspace, study.atlas, [("lesions", id)])
    study.workspace.delete("lesions", id)
    return id, found


def test_lesions_are_taken_over_where_their_networks_have_their_numbers(study, shipped_lesions):
    """Whatever the sign, which no lesion hangs on, and the numbers of others."""
    id, there = shipped_lesions

    def turn(maps: dict[str, str]) -> None:
        maps["1"] = turned(maps["1"])

    found_elsewhere(turn)
    assert beforehand.take_over(study.workspace, study.atlas) == [("lesions", id)]
    here = open_lesions(study.workspace, id)
    np.testing.assert_array_equal(here.nll, there.nll)
    assert {found.standing for found in study.workspace.verify()} == {"sound"}


def test_lesions_of_networks_that_have_another_number_here_are_left(study, shipped_lesions) -> None:
    """Their random lesions were drawn by the number."""
    found_elsewhere(swap)
    assert beforehand.take_over(study.workspace, study.atlas) == []


def turned(mark: str) -> str:
    """Return the strongest units of a map of the other sign."""
    words = [word.split(":") for word in mark.split()]
    return " ".join(f"{unit}:{-float(z):.1f}" for unit, z in words)


def swap(maps: dict[str, str]) -> None:
    """Number the first two networks the other way round."""
    maps["0"], maps["1"] = maps["1"], maps["0"]


def found_elsewhere(change: Callable[[dict[str, str]], None]) -> dict[str, np.ndarray]:
    """Change the maps that the shipped file is of; return the arrays that it holds."""
    with zipfile.ZipFile(beforehand.path()) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(parts["index.json"])
    change(index["maps"])
    with zipfile.ZipFile(beforehand.path(), "w") as archive:
        for name, content in {**parts, "index.json": json.dumps(index)}.items():
            archive.writestr(name, content)
    [name] = [name for name in parts if name.endswith(".safetensors")]
    return load(parts[name])


def test_results_go_with_a_network_whose_sign_is_turned(study, shipped) -> None:
    """As on a machine that finds a map of no skewness the other way up."""

    def turn(maps: dict[str, str]) -> None:
        maps["1"] = turned(maps["1"])

    there = found_elsewhere(turn)
    assert beforehand.take_over(study.workspace, study.atlas) == [("embeddings", shipped)]
    here = Embedding.load(study.workspace.folder("embeddings", shipped))
    np.testing.assert_array_equal(here.places, there["places"])
    np.testing.assert_array_equal(here.networks_by_map, there["networks_by_map"])
    atlas = open_atlas(study.workspace, study.atlas)
    np.testing.assert_array_equal(
        here.networks_by_course, places_by_course(atlas, seed=here.settings.seed)
    )
    assert {found.standing for found in study.workspace.verify()} == {"sound"}


def test_results_go_with_their_networks(study, shipped) -> None:
    """As on a machine that numbers the first two networks the other way round."""
    there = found_elsewhere(swap)
    assert beforehand.take_over(study.workspace, study.atlas) == [("embeddings", shipped)]
    here = Embedding.load(study.workspace.folder("embeddings", shipped))
    for key in ("networks_by_map", "networks_by_course"):
        np.testing.assert_array_equal(getattr(here, key)[:2], there[key][1::-1])
        np.testing.assert_array_equal(getattr(here, key)[2:], there[key][2:])
    np.testing.assert_array_equal(here.places, there["places"])
    assert {found.standing for found in study.workspace.verify()} == {"sound"}
