"""Dual regression: a saved atlas on another recording of its model."""

import numpy as np
import planted
import pytest
import tiny

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate, read_annotations
from fnprune_core.decomposition.decomposition import convergence_note
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import (
    ArtifactNotFoundError,
    FingerprintMismatchError,
    NotConvergedWarning,
    SettingsError,
)
from fnprune_core.matching.dual_regression import (
    applied_note,
    apply_atlas,
    dual_regression,
    open_probe,
)
from fnprune_core.matching.identities import read_identities
from fnprune_core.recording.sessions import ArraySessions
from fnprune_core.storage.manifests import read_manifest


def normalised(recording) -> np.ndarray:
    signals = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    return (signals.astype(np.float64) - recording.mean) / recording.std


def test_both_stages_equal_plain_solves(atlas, other_recording) -> None:
    x = normalised(other_recording)
    both = atlas.decomposition.alive & other_recording.alive
    design = np.vstack([np.ones(both.sum()), atlas.maps[:, both]]).T
    courses = np.linalg.lstsq(design, x[:, both].T, rcond=None)[0][1:]
    usable = ~other_recording.is_dummy
    design = np.vstack([np.ones(usable.sum()), courses[:, usable]]).T
    maps = np.linalg.lstsq(design, x[usable], rcond=None)[0][1:]
    maps = (maps - maps.mean(axis=1, keepdims=True)) / maps.std(axis=1, keepdims=True)

    found = dual_regression(atlas.decomposition, other_recording)
    scale = float(np.abs(courses).max())
    assert found.time_courses == pytest.approx(courses, abs=1e-4 * scale)  # float32 products
    assert found.spatial_maps == pytest.approx(maps, abs=1e-3)
    assert np.isnan(found.run_agreement).all()

    x = x[usable][:, both]
    x = x - x.mean(axis=1, keepdims=True)
    fitted = courses[:, usable].T
    residual = x - fitted @ np.linalg.lstsq(fitted, x, rcond=None)[0]
    expected = 1 - np.square(residual).sum() / np.square(x).sum()
    assert found.variance_explained == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("maps", ["refitted", "template"])
@pytest.mark.parametrize("scope", ["model", "layer"])
def test_on_its_own_recording_an_atlas_gives_its_own_time_courses(recording, maps, scope) -> None:
    settings = GroupICA(n_components=4, n_runs=1, max_iter=5, scope=scope)
    with pytest.warns(NotConvergedWarning):
        own = settings.fit(recording).result_
    found = dual_regression(own, recording, maps=maps)
    scale = float(np.abs(own.time_courses).max())
    assert found.time_courses == pytest.approx(own.time_courses, abs=1e-5 * scale)
    assert found.variance_alone == pytest.approx(own.variance_alone, rel=1e-4)
    assert found.variance_explained == pytest.approx(own.variance_explained, rel=1e-4)
    assert np.array_equal(found.layer_of_network, own.layer_of_network)
    if maps == "template":
        assert np.array_equal(found.spatial_maps, own.spatial_maps)
    else:
        on = own.spatial_maps != 0  # a layer's networks live in their layer alone
        assert np.all(found.spatial_maps[~on] == 0)
        for row, where in zip(found.spatial_maps, on, strict=True):
            assert row[where].mean() == pytest.approx(0, abs=1e-5)
            assert row[where].std() == pytest.approx(1, abs=1e-5)


def test_maps_of_new_sessions_are_found_in_the_template_order() -> None:
    first, second = (planted.planted(seed=seed, noise=1.0) for seed in (0, 1))
    rng = np.random.default_rng(2)
    scale = np.concatenate(second.signals).std()
    # Other sessions and noise over the first one's maps.
    signals = [
        rng.standard_normal((150, 5)) @ first.maps * 3
        + rng.standard_normal((150, 1000)) * scale / 3
        for _ in range(4)
    ]
    template = GroupICA(n_components=5, n_runs=1).fit(first.signals).result_
    found = dual_regression(template, ArraySessions(signals))
    order, r = match_maps(found.spatial_maps, template.spatial_maps)
    assert order.tolist() == [0, 1, 2, 3, 4]
    assert np.all(r > 0.9)
    r = np.corrcoef(found.spatial_maps, template.spatial_maps)[:5, 5:]
    assert np.abs(r - np.diag(np.diag(r))).max() < 1e-3  # no other template, by algebra
    for new, old in zip(found.spatial_maps, template.spatial_maps, strict=True):
        assert np.corrcoef(new, old)[0, 1] > 0.9  # with its sign


def test_units_that_vary_in_one_recording_only_are_left_out_and_told() -> None:
    data = planted.planted(seed=0)
    quiet_here = [np.array(x) for x in data.signals]
    quiet_there = [np.array(x) for x in data.signals]
    for x in quiet_here:
        x[:, :7] = 1.0
    for x in quiet_there:
        x[:, 20:23] = 1.0
    template = GroupICA(n_components=5, n_runs=1).fit(quiet_there).result_
    found = dual_regression(template, ArraySessions(quiet_here))
    assert np.all(found.spatial_maps[:, :7] == 0)
    assert np.all(found.spatial_maps[:, 20:23] != 0)  # stage 2 knows them
    assert np.array_equal(found.alive, np.arange(1000) >= 7)
    note = applied_note(found)
    assert "7 units that vary in the template's recording do not vary here" in note
    assert "3 units that vary here did not there; stage 1 leaves them out" in note
    kept = dual_regression(template, ArraySessions(quiet_here), maps="template")
    assert np.all(kept.spatial_maps[:, [*range(7), 20, 21, 22]] == 0)
    assert np.array_equal(kept.time_courses, found.time_courses)
    assert applied_note(template) == ""


def test_recording_of_another_model_is_refused(atlas, record_windows) -> None:
    stranger = record_windows(tiny.tiny_language_model("Llama", seed=1))
    with pytest.raises(FingerprintMismatchError) as caught:
        dual_regression(atlas.decomposition, stranger)
    assert atlas.decomposition.fingerprint in caught.value.message
    assert stranger.fingerprint in caught.value.message
    assert "fnprune match" in caught.value.hint


def test_too_few_common_units_are_refused() -> None:
    data = planted.planted(seed=0, n_units=40)
    template = GroupICA(n_components=5, n_runs=1, max_iter=2000).fit(data.signals).result_
    quiet = [np.where(np.arange(40) < 36, 1.0, x) for x in data.signals]
    with pytest.raises(SettingsError, match="Only 4 units vary in both"):
        dual_regression(template, ArraySessions(quiet))


def test_applied_atlas_is_an_atlas_that_knows_where_it_comes_from(
    workspace, atlas, other_recording
) -> None:
    annotate(workspace, atlas, 2, Annotation(name="mine"))
    id = apply_atlas(workspace, atlas.id, other_recording.id)
    assert apply_atlas(workspace, atlas.id, other_recording.id) == id
    kept = apply_atlas(workspace, atlas.id, other_recording.id, maps="template")
    assert kept != id
    opened = network_atlas.open_atlas(workspace, id)
    assert opened.time_courses.shape[1] == len(opened.tokens) == other_recording.n_tokens
    assert opened.table()["network"].tolist() == [0, 1, 2, 3]
    assert convergence_note(opened.decomposition) == ""
    manifest = read_manifest(workspace.folder("decompositions", id))
    assert manifest["inputs"]["applied_from"] == manifest["settings"]["applied_from"] == atlas.id
    assert manifest["inputs"]["stage"] == 2
    assert atlas.id in applied_note(opened.decomposition)
    assert read_annotations(workspace, id).of(2).name == "mine"
    identity = read_identities(workspace, id)[2]
    assert (identity.network, identity.applied) == (2, True)
    assert identity.r == pytest.approx(np.corrcoef(opened.maps[2], atlas.maps[2])[0, 1], abs=1e-5)


@pytest.mark.parametrize("maps", ["refitted", "template"])
def test_probe_of_an_applied_atlas_gives_its_time_courses(
    workspace, atlas, other_recording, llama, maps
) -> None:
    """Its time courses are of the template's maps; it was solved on those of stage 2."""
    id = apply_atlas(workspace, atlas.id, other_recording.id, maps=maps)
    applied = network_atlas.open_atlas(workspace, id)
    probe = open_probe(workspace, id)
    reading = probe.read_windows(llama, other_recording.windows.select([3]))
    expected = applied.time_courses[:, other_recording.session_slice(3)]
    # the recording is stored as float16: 2^-11 a value, less in a sum over units
    assert np.abs(reading.strengths - expected).max() < 1e-3 * np.abs(expected).max()


def test_probe_of_an_applied_atlas_without_its_template_is_refused(
    workspace, atlas, other_recording
) -> None:
    ids = [
        apply_atlas(workspace, atlas.id, other_recording.id, maps=maps)
        for maps in ("template", "refitted")
    ]
    workspace.delete("decompositions", atlas.id)
    assert open_probe(workspace, ids[0]).usual.shape == (4,)
    with pytest.raises(ArtifactNotFoundError, match=f"{atlas.id}, which is gone"):
        open_probe(workspace, ids[1])
