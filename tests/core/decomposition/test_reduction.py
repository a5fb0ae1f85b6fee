import numpy as np
import pytest
from planted import fit, planted

from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import SettingsError, TooFewTokensError


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
