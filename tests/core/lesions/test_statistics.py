"""The two questions put to lesions: nominal on null data, with power on planted effects."""

import numpy as np
import pytest
from lesioned import each_network
from scipy import stats

from fnprune_core.evaluation.intervals import ratio_error
from fnprune_core.evaluation.results import Protocol
from fnprune_core.lesions.sites import LesionSettings
from fnprune_core.lesions.statistics import Texts, false_discovery, moderated
from fnprune_core.lesions.study import Facts, LesionStudy

N_LESIONS, N_COLUMNS, N_WINDOWS, TOKENS = 48, 4, 8, 100


def study(
    rng, *, n_random=4, lesion_sd=0.05, text_sd=0.05, effect=(), n_lesions=N_LESIONS
) -> LesionStudy:
    """Return a study in which lesions are draws like their random ones, but for `effect`.

    Larger lesions do more harm, scatter more, and read noisier; `effect` lists (lesion, column,
    nats per token).
    """
    size = rng.uniform(0.5, 3.0, n_lesions)
    shape = (n_lesions, 1 + n_random, N_COLUMNS)
    column = np.repeat(np.arange(N_COLUMNS), N_WINDOWS)
    mean = (0.3 + lesion_sd * rng.standard_normal(shape)) * size[:, None, None]
    for lesion, where, how_much in effect:
        mean[lesion, 0, where] += how_much
    noise = text_sd * rng.standard_normal((*shape[:2], len(column))) * size[:, None, None]
    pairs = [(a, b) for a in range(N_COLUMNS) for b in range(a + 1, N_COLUMNS)]
    return LesionStudy(
        facts=Facts(
            decomposition_id="an-atlas", model_name="none", lesions=each_network(n_lesions),
            settings=LesionSettings(n_random=n_random), columns=tuple("abcd"),
            pairs=tuple(pairs), unit="windows",
            protocol=Protocol(
                text_sha256="", n_tokens=0, n_windows=len(column), window=TOKENS,
                adds_bos=False, dtype="float32", device="cpu",
            ),
        ),
        texts=Texts(
            tokens=np.full(len(column), TOKENS), column=column,
            unit=np.tile(np.arange(N_WINDOWS), N_COLUMNS), n_columns=N_COLUMNS,
        ),
        healthy=np.full(len(column), 3.0 * TOKENS),
        nll=TOKENS * (3.0 + mean[:, :, column] + noise),
        n_units=np.full(n_lesions, 10),
        magnitude=np.repeat(size[:, None], 1 + n_random, axis=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("n_random", "lesion_sd", "text_sd"), [(4, 0.05, 0.05), (2, 0.05, 0.02), (4, 0.001, 0.05)]
)
def test_false_positives_stay_at_the_nominal_level(n_random, lesion_sd, text_sd) -> None:
    """A lesion that is no other than its random ones is called one in twenty times at most."""
    rng = np.random.default_rng(0)
    p, any_found, contrast = [], [], []
    for _ in range(40):
        found = study(rng, n_random=n_random, lesion_sd=lesion_sd, text_sd=text_sd)
        p.append(found.effects.p)
        contrast.append(found.contrasts.p)
        any_found.append((found.effects.q <= 0.05).any())
        assert len(found.dissociations) <= 1
    n_independent = np.size(p)
    for values in (p, contrast):
        share = (np.asarray(values) < 0.05).mean()
        assert share < 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_independent)
        if text_sd < lesion_sd:  # else both questions are at stake, and the test is conservative
            assert share > 0.035
    assert np.mean(any_found) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


@pytest.mark.parametrize(("n_lesions", "n_random"), [(3, 2), (5, 2), (5, 4), (1, 4)])
def test_small_studies_of_nothing_seldom_show_a_finding(n_lesions, n_random) -> None:
    """Freedom was counted over columns, too: a q ≤ 0.05 in 14 to 32 % of such studies."""
    rng, n_times = np.random.default_rng(3), 120
    any_found = [
        (study(rng, n_lesions=n_lesions, n_random=n_random, text_sd=0.005).effects.q <= 0.05).any()
        for _ in range(n_times)
    ]
    assert np.mean(any_found) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / n_times)


def test_a_planted_effect_and_a_planted_double_dissociation_are_found() -> None:
    rng = np.random.default_rng(1)
    planted = [(k, 0, 0.8) for k in range(4)] + [(9, 1, 0.8), (10, 2, 0.8)]
    hits, double, others = [], [], []
    for _ in range(20):
        found = study(rng, effect=planted)
        hits.append(np.mean([found.effects.q[k, c] <= 0.05 for k, c, _ in planted]))
        is_null = np.ones((N_LESIONS, N_COLUMNS), dtype=bool)
        for k, c, _ in planted:
            is_null[k, c] = False
        others.append((found.effects.q[is_null] <= 0.05).sum() / len(planted))
        named = {(each.first, each.second, each.a, each.b) for each in found.dissociations}
        double.append((9, 10, 1, 2) in named)
    assert np.mean(hits) > 0.8
    assert np.mean(double) > 0.6
    assert np.mean(others) < 0.15


def test_random_lesions_against_one_another_are_null() -> None:
    found = study(np.random.default_rng(2), effect=[(0, 0, 5.0)])
    share = (found.null_p < 0.05).mean()
    assert found.null_p.shape == (4, N_LESIONS, N_COLUMNS)
    assert 0.02 < share < 0.08
    assert np.isnan(study(np.random.default_rng(2), n_random=2).null_p).all()


def test_without_random_lesions_there_is_a_change_and_no_p() -> None:
    for n in (0, 1):
        found = study(np.random.default_rng(0), n_random=n)
        assert np.isfinite(found.change[:, 0]).all()
        assert np.isnan(found.effects.p).all()
        assert found.dissociations == []


def test_moderated_variances_shrink_towards_their_trend() -> None:
    rng = np.random.default_rng(0)
    n, d, d0 = 4000, 3, 8.0
    trend = rng.uniform(-1, 1, (n, 1))
    true = np.exp(2 * trend[:, 0]) * d0 / rng.chisquare(d0, n)
    s2 = true * rng.chisquare(d, n) / d
    found, freedom = moderated(s2, np.full(n, d), trend)
    assert freedom[0] == pytest.approx(d + d0, rel=0.2)
    assert np.log(found / true).std() < 0.7 * np.log(s2 / true).std()
    t = rng.standard_normal(n) * np.sqrt(true) / np.sqrt(found)
    assert stats.kstest(t, stats.t(freedom[0]).cdf).pvalue > 0.01


def test_errors_are_over_units_of_resampling_as_those_of_perplexity() -> None:
    rng = np.random.default_rng(0)
    texts = Texts(
        tokens=rng.integers(8, 12, 18),
        column=np.repeat([0, 1], [12, 6]),
        unit=np.concatenate([np.arange(12) // 2, np.arange(6) // 3]),
        n_columns=2,
    )
    change = rng.standard_normal((3, 18))
    means = [change[:, :12].sum(axis=1), change[:, 12:].sum(axis=1)]
    counts = [texts.tokens[:12].sum(), texts.tokens[12:].sum()]
    np.testing.assert_allclose(texts.means(change), np.stack(means, axis=1) / counts)
    expected = ratio_error(change[:, :12], texts.tokens[:12], texts.unit[:12])
    np.testing.assert_array_equal(texts.errors(change)[:, 0], expected)
    assert np.isnan(texts.errors(change)[:, 1]).all()  # of two units


def test_what_is_not_known_is_left_out_of_the_correction() -> None:
    p = np.array([0.01, np.nan, 0.04])
    np.testing.assert_allclose(false_discovery(p), [0.02, np.nan, 0.04])
