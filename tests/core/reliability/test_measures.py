from dataclasses import replace

import numpy as np
import pytest
from planted import planted
from trust_study import last, run_of, study_of

from fnprune_core.atlas.chance.directions import rotation
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import TooFewTokensError
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.reliability import measures
from fnprune_core.reliability.results import ROTATED, Assessment
from fnprune_core.reliability.unmixing import turned


def test_planted_networks_are_trusted_by_every_measure(real) -> None:
    for measure in (measures.over_seeds, measures.over_bootstraps):
        found = last(measure(real))
        assert (found.iq > 0.9).all(), measure
        assert (found.share == 1).all()
        assert (found.match > 0.9).all()
    assert (last(measures.in_halves(real)).mean > 0.85).all()


def test_networks_of_noise_are_not(real, noise) -> None:
    assert np.median(last(measures.in_halves(noise)).mean) < 0.3
    assert last(measures.over_bootstraps(noise)).again.max() < 0.4
    assert (
        last(measures.over_seeds(noise)).again.max() < last(measures.over_seeds(real)).again.min()
    )


def test_planted_networks_stand_out_from_both_nulls(real) -> None:
    reproducibility = last(measures.in_halves(real)).mean
    shifted, _ = study_of(planted(n_sessions=8).signals, is_shifted=True, max_iter=60)
    kurtosis = run_of(real, seed=0).kurtosis
    for null in (last(measures.gaussian_null(real)), last(measures.shift_null(shifted))):
        assert reproducibility.min() > null.limit("r")
        assert kurtosis.min() > null.limit("kurtosis") + 1
        assert null.kurtosis.shape == null.again.shape == null.r.shape == (5,)
    assert null.limit("r") < 0.5


def test_planted_networks_come_back_and_random_rotations_of_the_same_halves_less(real) -> None:
    halves, rotated = last(measures.in_halves(real)), last(measures.rotated_halves(real))
    assert rotated.r.shape == halves.r.shape
    found = Assessment(halves=halves, rotated=rotated)
    assert found.recurrence.is_above(ROTATED).all()
    assert found.recurrence.control_median(ROTATED) < 0.6
    assert "5 of 5 reach 0.7. Of random directions: rotated 0." in found.recurrence_sentence()
    np.testing.assert_array_equal(last(measures.rotated_halves(real)).r, rotated.r)


def test_networks_of_noise_come_back_as_random_rotations_do(noise) -> None:
    found = Assessment(
        halves=last(measures.in_halves(noise)), rotated=last(measures.rotated_halves(noise))
    ).recurrence
    assert abs(found.median - found.control_median(ROTATED)) < 0.15


def test_a_rotation_of_a_half_spans_its_components(real) -> None:
    pool = real.pools[0]
    components = pool.group_pca(real.equal_weights, 5)
    maps = turned(pool, components, rotation(5, np.random.default_rng(0)))
    np.testing.assert_allclose(pool.correlation(maps, maps), np.eye(5), atol=1e-3)
    signals, others = (pool.signals(each).numpy() for each in (components, maps))
    inside = signals @ others.T @ others
    np.testing.assert_allclose(inside, signals, atol=1e-3 * np.abs(signals).max())


def test_the_curve_finds_how_many_networks_there_are(real) -> None:
    """Five were planted: of twice as many, no more than five can be found in both halves."""
    curve = last(measures.by_size(real))
    assert curve.sizes.tolist() == [2, 5, 7, 10]
    assert curve.suggested() == 5
    assert curve.table()["n_high"].iloc[1] == 5
    assert curve.table()["n_high"].iloc[3] <= 6


def test_results_grow_to_the_whole(real) -> None:
    parts = [part.n_runs for part in measures.over_bootstraps(real)]
    assert parts == [5, 6]
    curves = list(measures.by_size(real))
    assert [c.is_whole for c in curves] == [False] * 7 + [True]
    assert curves[0].suggested() is None


def test_few_sessions_are_no_bootstrap(real) -> None:
    """Drawn with replacement, a single session is the whole recording in every run."""
    one = replace(real, pieces=tuple(replace(piece, draw=0) for piece in real.pieces))
    with pytest.raises(TooFewTokensError, match="Only 1 session: too few to draw from"):
        next(measures.over_bootstraps(one))


def test_runs_of_a_pool_find_the_atlas(real) -> None:
    """The maps that a study finds, as mixtures of components, are those of `GroupICA`."""
    signals = planted(n_sessions=8).signals
    study, model = study_of(signals)
    pool = study.pools[0]
    run = run_of(study, seed=3)
    maps = pool.signals(run.mixture).numpy()
    np.testing.assert_allclose(np.linalg.norm(maps, axis=1), 1, atol=1e-3)
    order, r = match_maps(model.spatial_maps, maps)
    assert (r > 0.995).all()
    by_mixture = np.abs(study.targets[0] @ run.mixture.T)[np.arange(5), order]
    np.testing.assert_allclose(by_mixture, r, atol=1e-3)
    np.testing.assert_allclose(
        np.sort(run.kurtosis), np.sort(measures.map_kurtosis(model)), rtol=0.15
    )


def test_partners_are_those_of_the_network_and_not_the_most_alike() -> None:
    to_a, to_b = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.1, 0.7], [0.6, 0.3]])
    between = np.array([[0.95, 0.5], [0.4, 0.99]])
    assert measures.partners(to_a, to_b, between).tolist() == [0.5, 0.4]


def test_stop_is_heard_within_a_measure() -> None:
    cancel = CancelToken()
    study, _ = study_of(planted(n_sessions=8).signals, cancel=cancel)
    measure = measures.over_bootstraps(study)
    next(measure)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(measure)


def test_same_seed_same_figures(real) -> None:
    a, b = (
        last(measures.over_bootstraps(study_of(planted(n_sessions=8).signals)[0])) for _ in "ab"
    )
    np.testing.assert_array_equal(a.iq, b.iq)
