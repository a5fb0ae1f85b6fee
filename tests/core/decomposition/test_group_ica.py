import warnings
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from planted import RAGGED, fit, matched, noise_only, planted
from scipy.stats import skew
from sklearn.base import clone

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.decomposition import Decomposition, convergence_note
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.ica import run_ica
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import CorruptArtifactError, NotConvergedWarning, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.sessions import ArraySessions, StoredSession

ALGORITHMS_AND_CONTRASTS = [
    (algorithm, fun) for algorithm in ("fastica", "picard") for fun in ("cube", "logcosh")
]


# Maps


@pytest.mark.parametrize(("algorithm", "fun"), ALGORITHMS_AND_CONTRASTS)
def test_planted_maps_come_back(sources, algorithm, fun) -> None:
    result = fit(sources.signals, algorithm=algorithm, fun=fun, n_runs=2)
    assert (matched(sources.maps, result.spatial_maps) > 0.95).all()
    assert (result.run_agreement > 0.9).all()
    assert result.converged.all()
    assert result.layer_of_network.tolist() == [-1] * 5


@pytest.mark.parametrize(("algorithm", "fun"), ALGORITHMS_AND_CONTRASTS)
def test_layer_by_layer_each_layer_has_its_own_networks(sources, algorithm, fun) -> None:
    layout = UnitLayout((500, 500))
    result = fit(
        ArraySessions(sources.signals, layout=layout), scope="layer", algorithm=algorithm, fun=fun
    )
    assert sorted(result.layer_of_network) == [0] * 5 + [1] * 5
    for layer in range(2):
        own, units = result.layer_of_network == layer, layout.layer_slice(layer)
        maps = result.spatial_maps[own]
        assert (matched(sources.maps[:, units], maps[:, units]) > 0.95).all()
        assert not np.delete(maps, np.r_[units], axis=1).any()
        np.testing.assert_allclose(maps[:, units].std(axis=1), 1, atol=1e-4)


def test_a_single_layer_is_the_same_in_both_scopes(sources) -> None:
    whole, by_layer = (fit(sources.signals, scope=scope) for scope in ("model", "layer"))
    np.testing.assert_array_equal(whole.spatial_maps, by_layer.spatial_maps)


def test_maps_are_z_over_alive_units_with_the_heavier_tail_positive(found) -> None:
    assert np.flatnonzero(~found.alive).tolist() == [7]
    assert not found.spatial_maps[:, 7].any()
    z = found.spatial_maps[:, found.alive]
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(axis=1), 1, atol=1e-5)
    assert (skew(z, axis=1) > 0.2).all()


def test_networks_come_strongest_first(found) -> None:
    energy = np.square(found.time_courses).sum(axis=1)
    assert all(a >= b for a, b in pairwise(energy))


def test_permuting_units_permutes_maps(sources) -> None:
    order = np.random.default_rng(5).permutation(1000)
    straight = fit(sources.signals).spatial_maps
    permuted = fit([each[:, order] for each in sources.signals]).spatial_maps
    partner, r = match_maps(straight[:, order], permuted)
    assert (r > 0.999).all()
    np.testing.assert_allclose(permuted[partner], straight[:, order], atol=0.05)


def test_the_order_and_scale_of_units_and_sessions_do_not_matter(sources) -> None:
    scale = np.exp(np.random.default_rng(6).standard_normal(1000)).astype(np.float32)
    straight = fit(sources.signals).spatial_maps
    other = fit([each * scale - 2.0 for each in sources.signals[::-1]]).spatial_maps
    assert (match_maps(straight, other)[1] > 0.999).all()


def test_same_seed_same_maps_and_another_seed_another_start() -> None:
    noise = noise_only()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        first, again, other = (fit(noise, seed=s, max_iter=20) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.spatial_maps, again.spatial_maps)
    np.testing.assert_array_equal(first.time_courses, again.time_courses)
    assert matched(first.spatial_maps, other.spatial_maps).min() < 0.9


def test_noise_is_not_stable_and_planted_networks_are(sources) -> None:
    with pytest.warns(NotConvergedWarning):
        noise = fit(noise_only(), n_components=10, n_runs=4, max_iter=50)
    assert noise.run_agreement.max() < 0.7
    assert fit(sources.signals, n_runs=4).run_agreement.min() > 0.9


def test_a_network_of_a_domain_needs_scaling_over_the_whole_recording() -> None:
    """It is on in some sessions and off in others, and constant within each."""
    rng = np.random.default_rng(1)
    courses = [
        np.column_stack([rng.standard_normal((150, 4)), np.full(150, 1.5 * (-1) ** session)])
        for session in range(8)
    ]
    sources = planted(courses=courses)
    recording, session = (
        matched(sources.maps, fit(sources.signals, normalize=normalize).spatial_maps)
        for normalize in ("recording", "session")
    )
    assert (recording > 0.95).all()
    assert (session[:4] > 0.9).all()
    assert session[4] < 0.3


# Agreement with others


def test_agrees_with_nilearns_canica(sources) -> None:
    """Neurons have no neighbours, so no smoothing; its standardisation is by session."""
    from nibabel import Nifti1Image
    from nilearn.decomposition import CanICA

    shape = (20, 25, 2)
    images = [
        Nifti1Image(np.ascontiguousarray(each.T).reshape(*shape, -1), np.eye(4))
        for each in sources.signals
    ]
    canica = CanICA(
        mask=Nifti1Image(np.ones(shape, dtype=np.uint8), np.eye(4)),
        n_components=5,
        smoothing_fwhm=None,
        detrend=False,
        standardize="zscore_sample",
        threshold=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nilearn's own deprecations
        canica.fit(images)
    ours = fit(sources.signals, normalize="session")
    assert (match_maps(canica.components_, ours.spatial_maps)[1] > 0.9).all()


# Time courses and variance


def test_dummy_tokens_have_time_courses_but_no_say(recording) -> None:
    """Whatever the dummy tokens hold, maps stay; their own time courses follow them."""

    class Changed(type(recording)):
        @contextmanager
        def stored(self, session, **options):
            with super().stored(session, **options) as stored:
                values = stored.values.astype(np.float32)
                values[self.is_dummy[self.session_slice(session)]] *= 50
                yield StoredSession(values=values, scales=stored.scales)

    settings = GroupICA(n_components=4, n_runs=1, fun="logcosh")
    plain = settings.fit(recording).result_
    changed = settings.fit(Changed(recording.folder)).result_
    assert plain.time_courses.shape == (4, recording.n_tokens)
    np.testing.assert_array_equal(plain.spatial_maps, changed.spatial_maps)
    dummy = recording.is_dummy
    np.testing.assert_array_equal(plain.time_courses[:, ~dummy], changed.time_courses[:, ~dummy])
    assert not np.allclose(plain.time_courses[:, dummy], changed.time_courses[:, dummy])
    assert plain.variance_alone == pytest.approx(changed.variance_alone, rel=1e-4)


# Convergence


def test_no_warning_and_no_note_when_all_runs_converge(sources) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotConvergedWarning)
        result = fit(sources.signals)
    assert convergence_note(result) == ""


def test_the_result_is_the_converged_run_of_highest_contrast(monkeypatch) -> None:
    outcomes = iter([(True, 1.0), (False, 9.0), (True, 3.0), (True, 2.0)])
    sources = []

    def scripted(*args, **options):
        run = run_ica(*args, **options)
        converged, contrast = next(outcomes)
        sources.append(run.sources.numpy())
        return replace(run, converged=converged, contrast=contrast)

    monkeypatch.setattr(group_ica, "run_ica", scripted)
    with pytest.warns(NotConvergedWarning, match="1 of 4"):
        result = fit(noise_only(), n_runs=4, max_iter=5)
    r = [matched(each, result.spatial_maps).min() for each in sources]
    assert np.argmax(r) == 2
    assert r[2] > 0.9999
    assert "1 of 4 ICA runs did not converge" in convergence_note(result)
    assert "best of the others" in convergence_note(result)


def test_the_estimator_is_one_of_scikit_learn(sources) -> None:
    estimator = clone(GroupICA(n_components=5, n_runs=1, seed=3))
    assert estimator.get_params()["n_components"] == 5
    assert estimator.fit(sources.signals) is estimator
    assert estimator.components_ is estimator.result_.spatial_maps
    assert estimator.n_iter_ == estimator.result_.n_iter.max()


# Wrong input


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("n_components", 0),
        ("scope", "head"),
        ("algorithm", "infomax"),
        ("fun", "exp"),
        ("n_runs", 0),
        ("normalize", "global"),
        ("n_session_components", 0),
        ("max_iter", 0),
        ("tol", 0.0),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_refused_by_name(sources, setting, value) -> None:
    with pytest.raises(SettingsError, match=f"{setting} must be .*got {value!r}"):
        fit(sources.signals, **{setting: value})


# Stopping


@pytest.mark.parametrize("stage", ["pca", "ica", "time courses"])
@pytest.mark.parametrize("algorithm", ["fastica", "picard"])
def test_it_stops_in_the_middle_of_each_stage(sources, stage, algorithm) -> None:
    cancel = CancelToken()
    seen = []

    def stop(event) -> None:
        seen.append(event.stage)
        if event.stage == stage:
            cancel.cancel()

    estimator = GroupICA(n_components=5, n_runs=2, algorithm=algorithm)
    with pytest.raises(Cancelled):
        estimator.fit(sources.signals, progress=stop, cancel=cancel)
    assert seen[-1] == stage
    assert seen.count(stage) == 1
    assert not hasattr(estimator, "result_")


# Saving


def test_saved_and_loaded_it_is_the_same(found, tmp_path) -> None:
    folder = tmp_path / "a-decomposition"
    found.save(folder, {"settings": found.settings})
    again = Decomposition.load(folder)
    assert again.id == "a-decomposition"
    for name in ("spatial_maps", "time_courses", "run_agreement", "variance_alone", "alive"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert again.layout == RAGGED
    assert again.settings == found.settings
    with pytest.raises(ValueError, match="read-only"):
        again.spatial_maps[0, 0] = 1


def test_damaged_arrays_are_told(found, tmp_path) -> None:
    folder = tmp_path / "a-decomposition"
    found.save(folder, {})
    arrays = folder / "decomposition.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:1000])
    with pytest.raises(CorruptArtifactError, match=r"1,000 bytes.* decompose again"):
        Decomposition.load(folder)
