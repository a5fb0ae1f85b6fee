import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from planted import noise_only, planted
from scipy.stats import skew
from sklearn.base import clone
from sklearn.decomposition import FastICA

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import Decomposition, GroupICA, convergence_note
from fnprune_core.decomposition.ica import run_ica
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import (
    CorruptArtifactError,
    NonFiniteError,
    NotConvergedWarning,
    SettingsError,
    TooFewTokensError,
)
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.sessions import ArraySessions

RAGGED = UnitLayout((300, 200, 400, 100))
ALGORITHMS_AND_CONTRASTS = [
    (algorithm, fun) for algorithm in ("fastica", "picard") for fun in ("cube", "logcosh")
]


@pytest.fixture(scope="module")
def sources():
    return planted()


@pytest.fixture(scope="module")
def found(sources) -> Decomposition:
    """Five networks in a model with layers of different widths; one unit is dead."""
    signals = [each.copy() for each in sources.signals]
    for each in signals:
        each[:, 7] = 1.5
    return fit(ArraySessions(signals, layout=RAGGED), n_runs=2)


def fit(sessions, **settings) -> Decomposition:
    return GroupICA(**{"n_components": 5, "n_runs": 1, **settings}).fit(sessions).result_


def matched(planted_maps, found_maps) -> np.ndarray:
    return match_maps(planted_maps, found_maps)[1]


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


def test_more_runs_do_not_change_the_first() -> None:
    """Seeds are spawned by run, so that run i is the same however many there are."""
    slow = planted(noise=0.5).signals
    few, many = (fit(slow, fun="logcosh", n_runs=n, max_iter=100).n_iter for n in (2, 4))
    assert few.tolist() == many[:2].tolist()
    assert len(set(many.tolist())) > 1


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


@pytest.mark.parametrize("fun", ["cube", "logcosh"])
def test_agrees_with_scikit_learns_fastica_on_one_session(fun) -> None:
    sources = planted(n_sessions=1, n_tokens=400)
    ours = fit(sources.signals, fun=fun)
    x = sources.signals[0].astype(np.float64)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = FastICA(5, fun=fun, whiten="unit-variance", tol=1e-4, random_state=0)
    maps = theirs.fit_transform(standardised.T).T  # units are FastICA's observations
    assert (match_maps(maps, ours.spatial_maps)[1] > 0.99).all()


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


def normalised(sources, found) -> np.ndarray:
    """Return the planted signals as the decomposition sees them: (tokens, alive units)."""
    x = np.concatenate(sources.signals)[:, found.alive].astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_time_courses_are_plain_least_squares(sources, found) -> None:
    x = normalised(sources, found)
    z = found.spatial_maps[:, found.alive].astype(np.float64)
    design = np.column_stack([np.ones(z.shape[1]), z.T])
    expected = np.linalg.lstsq(design, x.T, rcond=None)[0][1:]
    np.testing.assert_allclose(found.time_courses, expected, atol=1e-4)


def test_time_courses_follow_the_planted_ones() -> None:
    rng = np.random.default_rng(2)
    courses = [rng.standard_normal((150, 3)) for _ in range(4)]
    sources = planted(n_networks=3, courses=courses, noise=1.0)
    result = fit(sources.signals, n_components=3)
    partner, _ = match_maps(sources.maps, result.spatial_maps)
    signs = np.sign(np.sum(sources.maps * result.spatial_maps[partner], axis=1))
    for k, course in enumerate(np.concatenate(courses).T):
        assert np.corrcoef(course, signs[k] * result.time_courses[partner[k]])[0, 1] > 0.9


def test_shares_of_variance_are_those_of_a_regression_on_time_courses(sources, found) -> None:
    x = normalised(sources, found)
    x = x - x.mean(axis=1, keepdims=True)
    s = found.time_courses.T.astype(np.float64)
    total = np.square(x).sum()

    def explained(columns: np.ndarray) -> float:
        residual = x - columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
        return 1 - np.square(residual).sum() / total

    whole = explained(s)
    assert found.variance_explained == pytest.approx(whole, abs=1e-5)
    for k in range(5):
        assert found.variance_alone[k] == pytest.approx(explained(s[:, [k]]), abs=1e-5)
        without = explained(np.delete(s, k, axis=1))
        assert found.variance_left_out[k] == pytest.approx(whole - without, abs=1e-5)


def test_dummy_tokens_have_time_courses_but_no_say(recording) -> None:
    """Whatever the dummy tokens hold, maps stay; their own time courses follow them."""

    class Changed(type(recording)):
        def session(self, session, **options):
            signals = super().session(session, **options)
            signals[self.is_dummy[self.session_slice(session)]] *= 50
            return signals

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


@pytest.mark.filterwarnings("ignore:Picard did not converge")  # picard's own, beside ours
@pytest.mark.parametrize("algorithm", ["fastica", "picard"])
def test_runs_that_hit_the_limit_are_told(algorithm) -> None:
    """Picard counts iterations from 0, and its runs once always passed for converged."""
    with pytest.warns(NotConvergedWarning, match="2 of 2 ICA runs stopped at max_iter=1"):
        result = fit(noise_only(), algorithm=algorithm, max_iter=1, n_runs=2)
    assert result.converged.tolist() == [False, False]
    assert result.n_iter.tolist() == [1, 1]
    assert "2 of 2 ICA runs did not converge within 1 iterations" in convergence_note(result)
    assert "do not trust" in convergence_note(result)


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


def test_too_many_networks_are_refused_with_the_most_possible(sources) -> None:
    few = [each[:20] for each in sources.signals[:2]]
    with pytest.raises(SettingsError, match="Choose K of at most 40"):
        fit(few, n_components=41)
    with pytest.raises(SettingsError, match="Choose K of at most 9"):
        fit([each[:, :10] for each in sources.signals], n_components=10)


def test_more_networks_than_independent_components_are_refused() -> None:
    """Rounding of float32 once passed for a component of its own."""
    rng = np.random.default_rng(0)
    maps = rng.laplace(size=(12, 1000)) * np.geomspace(1, 30, 12)[:, None]
    low = [(rng.standard_normal((100, 12)) @ maps).astype(np.float32) for _ in range(40)]
    with pytest.raises(SettingsError, match=r"only 12 independent components.*at most 12"):
        fit(low, n_components=13)


def test_more_session_components_than_a_session_has_tokens_are_refused(sources) -> None:
    short = [*sources.signals, sources.signals[0][:30]]
    with pytest.raises(TooFewTokensError, match=r"n_session_components is 31.*only 30"):
        fit(short, n_session_components=31)
    assert fit(short, n_session_components=30).n_networks == 5


def test_too_few_components_of_too_few_sessions_are_refused(sources) -> None:
    with pytest.raises(SettingsError, match="2 sessions of 2 components give at most 4"):
        fit(sources.signals[:2], n_session_components=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_signals_are_refused_naming_session_and_layer(sources, value) -> None:
    """A NaN once made all units look dead, and K was refused instead."""
    signals = [each.copy() for each in sources.signals]
    signals[3][10, 550] = value
    with pytest.raises(NonFiniteError, match=r"Session 3.*layers 2"):
        fit(ArraySessions(signals, layout=RAGGED))


def test_signals_that_do_not_vary_are_refused() -> None:
    with pytest.raises(SettingsError, match="only 0 units vary"):
        fit([np.ones((20, 30))] * 2)


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


def test_sessions_of_different_units_are_refused(sources) -> None:
    with pytest.raises(SettingsError, match="same units"):
        fit([sources.signals[0], sources.signals[1][:, :-1]])


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
    with pytest.raises(CorruptArtifactError, match="missing or damaged"):
        Decomposition.load(folder)
