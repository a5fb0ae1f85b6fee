import numpy as np
import pytest
from scipy import stats
from toy_localizer import toy

from fnprune_core.localizers.glm import Sums, design_matrix, first_level, second_level
from fnprune_core.localizers.stimuli import Localizer


def simulated(
    localizer: Localizer, *, n: int, n_tokens: int = 30, seed: int = 0, block_sd: float = 1.0
):
    """Return blocks, blocks of tokens, covariates, and noise whose blocks differ by themselves."""
    rng = np.random.default_rng(seed)
    blocks = localizer.blocks()
    block = np.repeat(np.arange(len(blocks)), n_tokens)
    covariates = {
        "log frequency": rng.normal(size=len(block)),
        "position": np.tile(np.arange(n_tokens) / 100, len(blocks)),
    }
    noise = rng.normal(size=(len(block), n)) + block_sd * rng.normal(size=(len(blocks), n))[block]
    return blocks, block, covariates, noise


@pytest.mark.parametrize("n_tokens", [2, 3, 7, 9, 50])
def test_boxcars_are_exact_for_blocks_of_any_length(n_tokens) -> None:
    block = np.repeat(np.arange(12), n_tokens)
    block = block[n_tokens - 1 :]  # the first is as short as can be
    design = design_matrix(block, {"position": np.arange(len(block), dtype=float)})
    expected = (block[:, None] == np.arange(12)).astype(float)
    np.testing.assert_array_equal(design.to_numpy()[:, :12], expected)


def test_weights_are_plain_least_squares() -> None:
    _, block, covariates, signals = simulated(toy(), n=7)
    design = design_matrix(block, covariates)
    boxcars = (block[:, None] == np.arange(16)).astype(float)
    plain = np.column_stack([boxcars, *(v - v.mean() for v in covariates.values())])
    # nilearn resamples what it is given on a finer grid and back
    np.testing.assert_allclose(design.to_numpy(), plain, atol=1e-9)
    expected = np.linalg.lstsq(plain, signals, rcond=None)[0]
    np.testing.assert_allclose(first_level(design, signals), expected, atol=1e-9)
    sums = Sums(design, 7)
    for start in range(0, len(block), 60):
        sums.add(slice(start, start + 60), signals[start : start + 60])
    np.testing.assert_allclose(sums.solve(), expected, atol=1e-5)  # blocks are summed in float32


@pytest.mark.parametrize("has_templates", [True, False])
def test_second_level_is_the_t_test_over_templates(has_templates) -> None:
    found = toy(has_templates=has_templates, n_items=6)
    effects = np.random.default_rng(0).normal(size=(len(found.blocks()), 5)) + 1
    effects[:, 4] = 1  # does not vary: no t
    up = effects[[b.condition == "up" for b in found.blocks()]]
    down = effects[[b.condition == "down" for b in found.blocks()]]
    contrast = second_level(found, found.blocks(), effects)
    if has_templates:  # blocks of a template stand in the same order in both conditions
        expected = stats.ttest_rel(up, down)
    else:
        expected = stats.ttest_ind(up, down, equal_var=False)
    np.testing.assert_allclose(contrast.t[:4], expected.statistic[:4])
    np.testing.assert_allclose(contrast.p[:4], expected.pvalue[:4])
    low, high = contrast.interval()
    interval = expected.confidence_interval()
    np.testing.assert_allclose(low[:4], interval.low[:4])
    np.testing.assert_allclose(high[:4], interval.high[:4])
    assert (contrast.t[4], contrast.p[4], contrast.q[4]) == (0, 1, 1)
    np.testing.assert_allclose(contrast.q[:4], stats.false_discovery_control(contrast.p[:4]))


def test_effect_size_is_hedges_g() -> None:
    """Cohen's d of few templates is too large; Hedges (1981) corrects it by its freedom."""
    found = toy(n_templates=8)
    effects = np.random.default_rng(1).normal(size=(len(found.blocks()), 5)) + 1
    contrast = second_level(found, found.blocks(), effects)
    up, down = (effects[[b.condition == side for b in found.blocks()]] for side in ("up", "down"))
    difference = up - down  # blocks of a template stand in the same order in both conditions
    d = difference.mean(axis=0) / difference.std(axis=0, ddof=1)
    np.testing.assert_allclose(contrast.effect_size, d * (1 - 3 / (4 * (len(up) - 1) - 1)))


@pytest.mark.parametrize("has_templates", [True, False])
def test_false_positives_are_at_the_nominal_level_where_blocks_differ_by_themselves(has_templates):
    found = toy(has_templates=has_templates, n_items=6)
    blocks, block, covariates, noise = simulated(found, n=3000, seed=5)
    effects = first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    p = second_level(found, blocks, effects).p
    # 3,000 independent tests: the share has a standard error of 0.004
    assert 0.037 < (p < 0.05).mean() < 0.063
    up = np.array([b.condition == "up" for b in blocks])[block]
    naive = stats.ttest_ind(noise[up], noise[~up]).pvalue
    assert (naive < 0.05).mean() > 0.4  # what counting tokens would do


def test_a_planted_effect_is_found_and_no_other_network_with_it() -> None:
    found = toy(n_templates=12)
    blocks, block, covariates, noise = simulated(found, n=64, block_sd=0.3)
    up = np.array([b.condition == "up" for b in blocks])[block]
    noise[up, 10] += 1.0
    contrast = second_level(
        found, blocks, first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    )
    assert np.flatnonzero(contrast.q < 0.05).tolist() == [10]
    assert contrast.effect[10] == pytest.approx(1.0, abs=0.5)
    assert np.argmax(np.abs(contrast.effect_size)) == 10
    assert contrast.threshold() == pytest.approx(abs(contrast.t[10]))


def test_a_difference_of_covariates_alone_is_no_contrast() -> None:
    found = toy(n_templates=12)
    blocks, block, covariates, noise = simulated(found, n=200, block_sd=0.3)
    up = np.array([b.condition == "up" for b in blocks])[block]
    covariates["log frequency"] = covariates["log frequency"] + up  # rarer words on one side
    noise += 2.0 * covariates["log frequency"][:, None]
    p = second_level(
        found, blocks, first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    ).p
    assert (p < 0.05).mean() < 0.12  # 200 tests that share one covariate's estimate
    without = second_level(
        found, blocks, np.stack([noise[block == b].mean(axis=0) for b in range(len(blocks))])
    ).p
    assert (without < 0.05).mean() > 0.9
