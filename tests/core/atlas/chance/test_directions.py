"""Random directions: what each kind keeps of the networks, and where they are kept."""

from dataclasses import replace

import numpy as np
import pytest
from toy_atlas import DOMAINS, LAYOUT, N_NETWORKS, N_SESSIONS, WINDOW, atlas_of

from fnprune_core.atlas.chance import directions as module
from fnprune_core.atlas.chance.directions import KINDS, directions, make_directions, open_directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.recording.sessions import ArraySessions
from fnprune_core.recording.shifted import ShiftedSessions
from fnprune_core.storage.workspace import Workspace

RNG = np.random.default_rng(1)
COURSES = RNG.laplace(size=(N_NETWORKS, WINDOW * N_SESSIONS)) * np.where(DOMAINS, 3.0, 1.0)
MAPS = RNG.laplace(size=(N_NETWORKS, LAYOUT.n_units))
MAPS -= MAPS.mean(axis=1, keepdims=True)
MAPS /= MAPS.std(axis=1, keepdims=True)


def least_squares(maps, signals):
    design = np.vstack([np.ones(maps.shape[1]), maps]).T
    return np.linalg.lstsq(design, signals.T, rcond=None)[0][1:]


@pytest.fixture(scope="module")
def toy():
    """Return sessions of units that go together in four networks, and the atlas of these."""
    signals = COURSES.T @ MAPS + RNG.normal(size=(WINDOW * N_SESSIONS, LAYOUT.n_units))
    sessions = ArraySessions(np.split(signals, N_SESSIONS), layout=LAYOUT)
    atlas = atlas_of(maps=MAPS)
    sessions.is_dummy = atlas.is_dummy
    normal = (signals - sessions.mean) / sessions.std
    decomposition = replace(
        atlas.decomposition,
        time_courses=least_squares(MAPS, normal).astype(np.float32),
        settings={"normalize": "recording"},
    )
    return sessions, NetworkAtlas(decomposition, atlas.tokens), normal


def test_permuted_maps_keep_their_values_by_layer_and_lose_their_units(toy) -> None:
    sessions, atlas, signals = toy
    found = directions(sessions, atlas).of("permuted")
    for own, random in zip(atlas.maps, found.maps, strict=True):
        for here, there in zip(LAYOUT.split(own), LAYOUT.split(random), strict=True):
            np.testing.assert_array_equal(np.sort(here), np.sort(there))
    assert np.abs(np.corrcoef(atlas.maps, found.maps)[:4, 4:]).max() < 0.5
    np.testing.assert_allclose(
        found.time_courses, least_squares(found.maps, signals), rtol=1e-3, atol=1e-4
    )


def test_a_rotation_spans_the_same_space_and_its_courses_are_least_squares(toy) -> None:
    sessions, atlas, signals = toy
    found = directions(sessions, atlas).of("rotated")
    np.testing.assert_allclose(found.maps.std(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        found.time_courses, least_squares(found.maps, signals), rtol=1e-3, atol=1e-4
    )
    explained = [each.time_courses.T @ each.maps for each in (atlas, found)]
    np.testing.assert_allclose(*explained, atol=1e-4)


def test_shifted_units_keep_a_session_s_mean_and_lose_what_they_do_together(toy) -> None:
    sessions, atlas, _ = toy
    found = directions(sessions, atlas).of("shifted")
    np.testing.assert_array_equal(found.maps, atlas.maps)
    np.testing.assert_allclose(  # dummy tokens stay
        found.time_courses[:, atlas.is_dummy], atlas.time_courses[:, atlas.is_dummy], atol=1e-4
    )
    usable = ~atlas.is_dummy
    for session in range(N_SESSIONS):
        tokens = usable & (atlas.tokens["session"].to_numpy() == session)
        np.testing.assert_allclose(
            found.time_courses[:, tokens].mean(axis=1),
            atlas.time_courses[:, tokens].mean(axis=1),
            atol=1e-4,
        )
    strength = [each.time_courses[:, usable].std() for each in (found, atlas)]
    assert strength[0] < 0.3 * strength[1]


def test_the_variance_of_directions_is_what_their_courses_explain_of_the_signals(toy) -> None:
    """Shares written out; those of a rotation together are the networks', by the same span."""
    sessions, atlas, normal = toy
    usable = ~atlas.is_dummy
    found = directions(sessions, atlas)
    shifted = ShiftedSessions(sessions, seed=0)
    moved = np.concatenate([shifted.session(number) for number in range(N_SESSIONS)])
    read = dict.fromkeys(KINDS, normal) | {"shifted": (moved - sessions.mean) / sessions.std}
    together = {}
    for kind, signals in read.items():
        x = signals[usable] - signals[usable].mean(axis=1, keepdims=True)
        of = found.of(kind)
        courses = of.time_courses[:, usable].astype(float)
        alone = np.square(courses @ x).sum(axis=1) / np.square(courses).sum(axis=1)
        together[kind] = 1 - np.square(x - least_fit(courses.T, x)).sum() / np.square(x).sum()
        assert of.decomposition.variance_alone == pytest.approx(
            alone / np.square(x).sum(), rel=1e-3
        )
        assert of.decomposition.variance_explained == pytest.approx(together[kind], rel=1e-3)
        if kind == "rotated":
            own = least_fit(atlas.time_courses[:, usable].T.astype(float), x)
            networks = 1 - np.square(x - own).sum() / np.square(x).sum()
            assert together[kind] == pytest.approx(networks, rel=1e-3)
    assert max(together["permuted"], together["shifted"]) < 0.8 * together["rotated"]


def least_fit(predictors, x):
    return predictors @ np.linalg.lstsq(predictors, x, rcond=None)[0]


def test_the_same_seed_gives_the_same_directions_and_another_seed_others(toy) -> None:
    sessions, atlas, _ = toy
    first, again, other = (directions(sessions, atlas, seed=seed) for seed in (0, 0, 1))
    for kind in KINDS:
        np.testing.assert_array_equal(first.of(kind).time_courses, again.of(kind).time_courses)
        assert (first.of(kind).time_courses != other.of(kind).time_courses).any()
    with pytest.raises(SettingsError, match="no 'other' directions"):
        first.of("other")


def test_directions_are_kept_beside_the_atlas_and_not_for_other_maps(tmp_path, monkeypatch, toy):
    sessions, atlas, _ = toy
    workspace = Workspace(tmp_path)
    monkeypatch.setattr(module, "open_atlas", lambda *_: atlas)
    monkeypatch.setattr(module, "open_recording", lambda *_: sessions)
    made = make_directions(workspace, atlas.id)
    monkeypatch.setattr(module, "open_recording", None)  # found, and read no more
    assert (make_directions(workspace, atlas.id).shifted == made.shifted).all()
    assert open_directions(workspace, atlas, seed=1) is None
    assert open_directions(workspace, atlas_of()) is None
    (file,) = tmp_path.glob("directions/*/*.safetensors")
    file.rename(file.with_name("directions.safetensors"))  # of a version without variance
    assert open_directions(workspace, atlas) is None
    monkeypatch.setattr(module, "open_recording", lambda *_: sessions)
    again = make_directions(workspace, atlas.id)
    np.testing.assert_array_equal(again.alone, made.alone)
    np.testing.assert_array_equal(open_directions(workspace, atlas).explained, made.explained)
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CorruptArtifactError, match="damaged"):
        open_directions(workspace, atlas)
