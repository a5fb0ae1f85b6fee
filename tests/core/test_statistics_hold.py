"""Every p and interval that the app shows, on simulated data: nominal on nulls, power on effects.

What is shown, what is resampled, and where it is tested:

- decoding, domains in a network's strength: documents, permutation, corrected over networks: here
- decoding of localizers, and their contrasts: templates or blocks: `test_localizers`
- lesions and dissociations: texts and random lesions: `test_lesion_statistics`
- likeness of two atlases: circular shifts within sessions, largest of all pairs: `test_matching`
- connectome, interval of a correlation: documents: here
- connectivity over a text, the band of a stationary coupling: surrogates: here
- perplexity and paired differences, intervals by t: documents: here
- thresholds of a map: units shifted in time, and halves of the documents: `test_calibration`
- trust, the limits of the nulls: not a test, one in twenty above it by chance: here
- spectra and units by domain, ± SE: documents, in `test_spectra` and `test_units`
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fnprune_core.atlas import connectome, decoding, dynamic_connectivity, thresholds
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.results import Perplexity, Protocol, paired_difference
from fnprune_core.reliability.results import Null

N_TOKENS = 24  # of a document


def upper(n: int, share: float) -> float:
    """Return the count that a binomial of this share stays below, 999 times in 1,000."""
    return n * share + 3.1 * np.sqrt(n * share * (1 - share))


def atlas_of(courses, names, domains, *, n_tokens=N_TOKENS) -> NetworkAtlas:
    """Return time courses (K, tokens) as an atlas: one document after another."""
    n = courses.shape[1]
    document = np.arange(n) // n_tokens
    tokens = pd.DataFrame(
        {
            "session": document,
            "position": np.arange(n) % n_tokens,
            "document": pd.Categorical([names[d] for d in document]),
            "domain": pd.Categorical([domains[d] for d in document]),
            "is_dummy": np.zeros(n, dtype=bool),
        }
    )
    return NetworkAtlas(
        SimpleNamespace(time_courses=courses.astype(np.float32), n_networks=len(courses)), tokens
    )


def slow(rng, shape, *, rho=0.7):
    """Return autocorrelated noise of variance 1 along the last axis."""
    noise = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        noise[..., t] = rho * noise[..., t - 1] + np.sqrt(1 - rho**2) * noise[..., t]
    return noise


# Decoding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("are_parts", [False, True])
def test_domains_that_do_not_differ_are_called_different_one_time_in_twenty(are_parts) -> None:
    """Documents differ in energy by themselves, and parts of one text resemble each other."""
    rng = np.random.default_rng(0)
    n_documents, k = 20, 400
    own = rng.standard_normal((k, n_documents)) * 0.6
    names = [f"text {d}" for d in range(n_documents)]
    domains = [("a", "b")[d % 2] for d in range(n_documents)]
    if are_parts:  # neighbours are parts of one text, of one domain, alike in their energy
        own = own[:, np.arange(n_documents) // 2 * 2]
        names = [f"text {d // 2}, part {d % 2 + 1}" for d in range(n_documents)]
        domains = [("a", "b")[d // 2 % 2] for d in range(n_documents)]
    courses = np.exp(own).repeat(N_TOKENS, axis=1) * slow(rng, (k, n_documents * N_TOKENS))
    found = decoding.domain_test(atlas_of(courses, names, domains), n_permutations=399)
    assert found.n_documents == (10 if are_parts else 20)
    assert (found.p_value <= 0.05).sum() <= upper(k, 0.05)
    assert (found.p_value <= 0.05).sum() >= 0.02 * k  # and the test is not merely timid
    assert (found.p_corrected <= 0.05).sum() <= 0.01 * k


def test_lengths_tied_to_domains_are_not_taken_for_domains() -> None:
    """Documents of 20 and of 480 tokens: p ≤ 0.05 in 9 to 29 % of networks of nothing."""
    rng = np.random.default_rng(9)
    k, shares = 60, []
    for _ in range(4):
        lengths = np.tile([20, 480], 8)
        document = np.arange(16).repeat(lengths)
        tokens = pd.DataFrame(
            {
                "document": pd.Categorical([f"d{d}" for d in document]),
                "domain": pd.Categorical.from_codes(document % 2, categories=pd.Index(["a", "b"])),
                "is_dummy": np.zeros(len(document), dtype=bool),
            }
        )
        own = np.exp(0.1 * rng.standard_normal((k, 16)))[:, document]
        courses = (own * slow(rng, (k, len(document)))).astype(np.float32)
        atlas = NetworkAtlas(SimpleNamespace(time_courses=courses, n_networks=k), tokens)
        found = decoding.domain_test(atlas, n_permutations=199)
        shares.append((found.p_value <= 0.05).mean())
    assert (found.lengths, found.n_first) == ((20, 480), 20)
    assert "first 20 tokens" in found.length_note()
    assert np.mean(shares) * 4 * k <= upper(4 * k, 0.05)


def test_domains_that_differ_are_found_and_few_others_with_them() -> None:
    rng = np.random.default_rng(1)
    n_documents, k, n_planted = 24, 200, 60
    own = rng.standard_normal((k, n_documents)) * 0.4
    own[:n_planted, ::3] += 1.0
    names = [f"text {d}" for d in range(n_documents)]
    courses = np.exp(own).repeat(N_TOKENS, axis=1) * slow(rng, (k, n_documents * N_TOKENS))
    atlas = atlas_of(courses, names, [("a", "b", "c")[d % 3] for d in range(n_documents)])
    called = decoding.domain_test(atlas, n_permutations=999).p_corrected <= 0.05
    assert called[:n_planted].mean() > 0.9
    assert called[n_planted:].sum() <= upper(int(called.sum()), 0.05)


def test_corrected_p_values_keep_the_false_discovery_rate() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        z = rng.standard_normal(100)
        z[:20] += 3.0
        p = 2 * stats.norm.sf(np.abs(z))
        called = decoding.benjamini_hochberg(p) <= 0.1
        shares.append(called[20:].sum() / max(called.sum(), 1))
    assert np.mean(shares) <= 0.1  # 0.08 is expected: 0.1 times the share of nulls
    assert np.mean(shares) > 0.05


# Connectome ------------------------------------------------------------------------------------


def coupled(rng, n_documents, k):
    """Return pairs of courses whose correlation varies between documents, 0.3 on the whole."""
    rho = rng.uniform(0.0, 0.6, size=(k, n_documents)).repeat(N_TOKENS, axis=1)
    first, noise = (slow(rng, (k, n_documents * N_TOKENS), rho=0.5) for _ in range(2))
    return np.stack([first, rho * first + np.sqrt(1 - rho**2) * noise], axis=1)


def test_the_interval_of_a_correlation_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    n_documents, n_times = 24, 120
    names = [f"text {d}" for d in range(n_documents)]
    held = 0
    for pair in coupled(rng, n_documents, n_times):
        bounds = connectome.connectivity_interval(
            atlas_of(pair, names, ["a"] * n_documents), n_resamples=200
        )
        held += bounds.low[0, 1] <= 0.3 <= bounds.high[0, 1]
    # Percentile intervals of two dozen documents are a little narrow: 92 % are expected.
    assert n_times - held <= upper(n_times, 0.09)


def test_a_coupling_that_never_changes_stays_inside_its_band() -> None:
    rng = np.random.default_rng(4)
    n_times, n_tokens = 40, 160
    windows = dynamic_connectivity.SlidingWindows(width=32, step=8)
    outside = 0
    for seed in range(n_times):
        first, second = slow(rng, (2, n_tokens), rho=0.5)
        atlas = atlas_of(np.stack([first, 0.5 * first + second]), ["a"], ["a"], n_tokens=n_tokens)
        low, high = dynamic_connectivity.stationary_band(
            atlas, 0, [1], session=0, windows=windows, n_surrogates=60, seed=seed
        )
        found = dynamic_connectivity.dynamic_connectivity(atlas, windows=windows).pairs[:, 0]
        outside += bool((found < low[0]).any() or (found > high[0]).any())
    assert outside <= upper(n_times, 0.08)  # of 60 surrogates a quantile is a little inside


# Perplexity ------------------------------------------------------------------------------------
_PROTOCOL = Protocol(
    text_sha256="x", n_tokens=0, n_windows=0, window=64, adds_bos=False, dtype="f", device="cpu"
)


def result_of(nll, groups) -> Perplexity:
    n = len(nll)
    return Perplexity(
        window_nll=np.asarray(nll, dtype=np.float64),
        window_tokens=np.full(n, 63),
        groups=np.asarray(groups),
        protocol=_PROTOCOL,
    )


@pytest.mark.parametrize(("n_documents", "n_windows"), [(10, 8), (5, 16)])
def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says(n_documents, n_windows):
    """Few documents of many windows that resemble one another: 0.81 and 0.61 over blocks."""
    rng = np.random.default_rng(5)
    n_times = 600
    groups = np.arange(n_documents * n_windows) // n_windows
    held = np.zeros(2)
    for _ in range(n_times):
        own = rng.standard_normal(n_documents)[groups]
        dense = rng.normal(200.0, 20.0, size=len(groups)) + 10 * own
        change = 63 * (0.3 + 0.1 * own + 0.1 * rng.standard_normal(len(groups)))
        plan, reference = result_of(dense + change, groups), result_of(dense, groups)
        low, high = paired_difference(plan, reference).interval()
        held += low <= 0.3 <= high, np.prod(np.log(reference.interval()) * 63 - 200.0) <= 0
    assert (np.abs(held - 0.95 * n_times) <= upper(n_times, 0.05) - 0.05 * n_times).all()


def test_errors_that_took_windows_for_independent_would_be_too_small() -> None:
    rng = np.random.default_rng(6)
    groups = np.arange(120) // 4
    change = 63 * (0.3 + 0.1 * rng.standard_normal(30)[groups])
    zero = np.zeros(120)
    by_document = paired_difference(result_of(change, groups), result_of(zero, groups))
    as_windows = np.arange(120)
    by_window = paired_difference(result_of(change, as_windows), result_of(zero, as_windows))
    assert by_document.standard_error == pytest.approx(2 * by_window.standard_error, rel=0.05)


# Maps and trust --------------------------------------------------------------------------------


def test_the_gaussian_threshold_of_a_map_keeps_to_its_rate_where_the_null_is_gaussian() -> None:
    rng = np.random.default_rng(7)
    shares, power = [], []
    for _ in range(3):
        z = rng.standard_normal(20_000)
        z[:1000] = 3.5 + rng.gamma(4.0, 0.6, size=1000)
        fit = thresholds.fit_mixture(z)
        level = thresholds.gaussian_threshold(fit, z, rate=0.05)
        beyond = np.abs(z) > level
        shares.append(beyond[1000:].sum() / beyond.sum())
        power.append(beyond[:1000].mean())
    assert np.mean(shares) <= 0.06
    assert np.mean(power) > 0.9


def test_one_network_in_twenty_of_nothing_lies_above_a_limit() -> None:
    rng = np.random.default_rng(8)
    above = []
    for _ in range(200):
        values = rng.gamma(2.0, size=(2, 128))
        null = Null(kurtosis=values[0], again=values[0], r=values[0], n_runs=1, n_converged=1)
        above.append((values[1] > null.limit("r")).mean())
    assert 0.045 <= np.mean(above) <= 0.065
