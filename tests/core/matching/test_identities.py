import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from matched_atlases import atlas_of

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate, read_annotations
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import (
    CorruptArtifactError,
    NotConvergedWarning,
    SettingsError,
    StorageError,
)
from fnprune_core.matching import identities
from fnprune_core.matching.atlases import match
from fnprune_core.matching.dual_regression import apply_atlas
from fnprune_core.matching.identities import carry_applied, carry_over, path_of, read_identities


@pytest.fixture
def refitted(workspace, recording):
    """Two atlases of one recording; the second has the first's maps, permuted and flipped."""
    with pytest.warns(NotConvergedWarning):
        ids = [
            group_ica.decompose(
                workspace,
                recording.id,
                settings=GroupICA(n_components=4, n_runs=1, max_iter=5, seed=seed),
            )
            for seed in (0, 1)
        ]
    earlier, later = (network_atlas.open_atlas(workspace, id) for id in ids)
    order, sign = [2, 0, 3, 1], np.array([[1], [-1], [1], [1]])
    maps = earlier.maps[order] * sign
    maps[3] = np.random.default_rng(0).permuted(maps[3])  # no network of before
    later = atlas_of(
        maps,
        tokens=later.tokens,
        fingerprint=earlier.decomposition.fingerprint,
        id=later.id,
    )
    object.__setattr__(later.decomposition, "layout", earlier.layout)
    workspace.delete("decompositions", later.id)
    later.decomposition.save(workspace.folder("decompositions", later.id), {})
    return earlier, later


def test_names_and_identity_go_to_the_network_that_was_it(workspace, refitted) -> None:
    earlier, later = refitted
    for network, name in ((2, "code"), (0, "<b>prose</b>"), (1, "gone")):
        annotate(workspace, earlier, network, Annotation(name=name, note="mine"))
    carried = carry_over(workspace, later, earlier, match(later, earlier))
    assert {k: (i.network, i.r > 0) for k, i in carried.identities.items()} == {
        0: (2, True),
        1: (0, False),
        2: (3, True),
    }
    assert (carried.n_names, carried.left_behind) == (2, (1,))
    said = read_annotations(workspace, later.id)
    assert {k: a.name for k, a in said.networks.items()} == {0: "code", 1: "<b>prose</b>"}
    workspace.delete("decompositions", earlier.id)
    kept = read_identities(workspace, later.id)
    assert (
        kept[1].sentence() == f"was network 0 of atlas {earlier.id}, r -1.00, with its sign turned"
    )
    assert 3 not in kept


def test_nothing_is_carried_where_nothing_is_alike(workspace, refitted, maps) -> None:
    earlier, later = refitted
    noise = np.random.default_rng(8).laplace(size=later.maps.shape)
    stranger = atlas_of(
        noise, tokens=later.tokens, fingerprint=later.decomposition.fingerprint, id=later.id
    )
    object.__setattr__(stranger.decomposition, "layout", earlier.layout)
    with pytest.raises(SettingsError, match=r"No pair of networks reaches \|r\| 0.7"):
        carry_over(workspace, stranger, earlier, match(stranger, earlier))
    other = atlas_of(noise, tokens=later.tokens, fingerprint="another", id=later.id)
    with pytest.raises(SettingsError, match="different models"):
        carry_over(workspace, other, earlier, match(other, earlier))
    by_courses = replace(match(later, earlier), by="time courses")  # its r says nothing of maps
    with pytest.raises(SettingsError, match="by maps only"):
        carry_over(workspace, later, earlier, by_courses)
    assert not read_identities(workspace, later.id)


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "x"}', json.dumps({"networks": {}})])
def test_damaged_identities_are_told(workspace, content) -> None:
    path = path_of(workspace, "2" * 16)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(CorruptArtifactError, match="damaged"):
        read_identities(workspace, "2" * 16)


def test_names_that_were_not_carried_are_carried_by_the_next_call(
    workspace, atlas, other_recording, monkeypatch
) -> None:
    """The atlas was found, so the call that should have carried its names was never made up for."""
    annotate(workspace, atlas, 2, Annotation(name="mine"))

    def fails(*_, **__):
        raise StorageError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr("fnprune_core.matching.dual_regression.carry_applied", fails)
        with pytest.raises(StorageError):
            apply_atlas(workspace, atlas.id, other_recording.id)
    with monkeypatch.context() as broken:  # killed between names and identities
        broken.setattr(identities, "merge", fails)
        with pytest.raises(StorageError):
            apply_atlas(workspace, atlas.id, other_recording.id)
    id = apply_atlas(workspace, atlas.id, other_recording.id)
    assert read_annotations(workspace, id).of(2).name == "mine"
    assert len(read_identities(workspace, id)) == 4
    annotate(workspace, network_atlas.open_atlas(workspace, id), 2, Annotation(name="later"))
    apply_atlas(workspace, atlas.id, other_recording.id)
    assert read_annotations(workspace, id).of(2).name == "later"


def test_carrying_to_several_atlases_at_once_waits_and_loses_nothing(
    workspace, atlas, other_recording
) -> None:
    """One lock that did not wait was held for all atlases of a workspace."""
    made = [
        network_atlas.open_atlas(
            workspace, apply_atlas(workspace, atlas.id, other, maps="template")
        )
        for other in (other_recording.id, atlas.decomposition.recording_id)
    ]
    for each in made:
        path_of(workspace, each.id).unlink()
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda i: carry_applied(workspace, made[i % 2], atlas), range(24)))
    assert len(done) == 24
    assert all(len(read_identities(workspace, each.id)) == 4 for each in made)
