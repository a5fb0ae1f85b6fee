import numpy as np
import pytest
from scipy import stats

from fnprune_core.atlas.thresholds import (
    Magnitudes,
    MixtureFit,
    colour_limit,
    fit_mixture,
    gaussian_threshold,
    posterior_threshold,
    suggested_thresholds,
)
from fnprune_core.errors import SettingsError

N_NULL, N_UP, N_DOWN = 19_000, 600, 400


def mixture(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values of a known mixture, and which of them are active."""
    rng = np.random.default_rng(seed)
    z = np.concatenate(
        [
            rng.normal(0, 0.8, N_NULL),
            rng.gamma(9, 0.6, N_UP),
            -rng.gamma(9, 0.5, N_DOWN),
        ]
    )
    return z, np.arange(len(z)) >= N_NULL


def test_the_mixture_comes_back():
    z, _ = mixture()
    fit = fit_mixture(z)
    assert fit.converged
    assert fit.null_share == pytest.approx(0.95, abs=0.01)
    assert fit.sd == pytest.approx(0.8, abs=0.03)
    assert fit.positive_share == pytest.approx(N_UP / len(z), abs=0.006)
    grid = np.linspace(-15, 15, 6001)
    assert np.trapezoid(fit.density(grid), grid) == pytest.approx(1.0, abs=0.01)


def test_the_posterior_threshold_is_where_both_explain_a_unit_equally_well():
    z, active = mixture()
    threshold = posterior_threshold(fit_mixture(z), float(np.abs(z).max()))
    # Counted, not computed: around the threshold about as many units are active as null.
    near = np.abs(np.abs(z) - threshold) < 0.25
    assert 0.3 < active[near].mean() < 0.7


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_false_ones_stay_at_the_rate_where_the_null_is_gaussian(rate):
    shares = []
    for seed in range(5):
        z, active = mixture(seed)
        threshold = gaussian_threshold(fit_mixture(z), z, rate=rate)
        shares.append(float((~active[np.abs(z) > threshold]).mean()))
    assert np.mean(shares) == pytest.approx(rate, rel=0.4)


def test_pure_noise_has_nothing_above_its_thresholds():
    z = np.random.default_rng(0).normal(size=20_000)
    for suggestion in suggested_thresholds(z)[2:]:
        assert suggestion.n_units < 10 or np.isnan(suggestion.threshold)


def test_a_heavy_tailed_null_is_marked_by_the_thousand_so_it_is_no_test():
    rng = np.random.default_rng(0)
    z = rng.laplace(size=20_000)
    assert (np.abs(z) > gaussian_threshold(fit_mixture(z), z)).sum() > 1000


def test_counts_belong_to_the_thresholds():
    z, _ = mixture()
    for suggestion in suggested_thresholds(z):
        assert suggestion.n_units == int((np.abs(z) > suggestion.threshold).sum())
    by_rule = {each.rule: each.n_units for each in suggested_thresholds(z)}
    assert by_rule["top 1 %"] == pytest.approx(0.01 * len(z), abs=2)


def test_too_few_or_equal_values_are_refused():
    with pytest.raises(SettingsError, match="at least 50 values"):
        fit_mixture(np.zeros(1000))


def test_peak_of_a_heavy_tailed_map_belongs_to_the_null() -> None:
    """With a shape of 1 a Gamma is largest at 0, and every unit counted as active."""
    z = np.random.default_rng(0).laplace(size=40_000) / np.sqrt(2)
    threshold = posterior_threshold(fit_mixture(z), float(np.abs(z).max()))
    assert threshold > 0.2


@pytest.mark.parametrize(("shape", "scale"), [(2.0, 0.65), (4.0, 0.1), (30.0, 0.2)])
def test_densities_are_those_of_scipy_at_zero_and_in_the_tails_too(shape, scale) -> None:
    x = np.array([-40.0, -1.0, -1e-9, 0.0, 1e-9, 0.3, 2.0, 40.0])
    fit = MixtureFit(
        null_share=0.8, positive_share=0.1, negative_share=0.1, mean=0.1, sd=0.7,
        positive=(shape, scale), negative=(shape, 2 * scale), converged=True,
    )  # fmt: skip
    expected = 0.1 * stats.gamma.pdf(x, shape, scale=scale)
    expected += 0.1 * stats.gamma.pdf(-x, shape, scale=2 * scale)
    np.testing.assert_allclose(fit.active_density(x), expected, rtol=1e-12, atol=1e-300)
    null = 0.8 * stats.norm.pdf(x, 0.1, 0.7)
    np.testing.assert_allclose(fit.null_density(x.astype(np.float32)), null, rtol=1e-4, atol=1e-300)


@pytest.mark.parametrize("z", [1.0, 2.5, 4.0])
def test_the_strongest_colour_is_of_units_beyond_the_threshold(z) -> None:
    """Its quantile is over those alone, not over units below the threshold, too."""
    maps = np.random.default_rng(0).standard_normal((4, 20_000)) * 1.5
    assert Magnitudes.of(maps).colour_limit(z) == colour_limit(maps, z)
    assert colour_limit(maps, z) < colour_limit(2 * maps, z)
