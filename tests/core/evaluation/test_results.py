from dataclasses import replace

import numpy as np
import pytest
import tiny
from losses import result_of
from scipy import stats

from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.evaluation.results import Perplexity, documents_of, paired_difference


def test_parts_of_one_text_are_one_document() -> None:
    windows = tiny.toy_windows(n_documents=4)
    named = replace(
        windows,
        document_names=("a, part 1", "a, part 2", "b, part 1", "c"),
        text_sha256="",
    )
    np.testing.assert_array_equal(documents_of(named), [0, 0, 0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(documents_of(windows), [0, 0, 1, 1, 2, 2, 3, 3])


UNEQUAL = (32, 32, 9, 20, 20, 20, 32)


def test_errors_and_intervals_are_scipys_over_documents():
    """Documents of equal size: the mean of n numbers, its standard error, and t of n − 1."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(6), 4))
    a, b = (result_of(rng.gamma(20, size=24), groups=groups) for _ in range(2))
    means = np.array([a.window_nll[groups == g].sum() / 40 for g in range(6)])
    assert a.mean_error == pytest.approx(stats.sem(means))
    assert a.standard_error == pytest.approx(a.perplexity * stats.sem(means))
    expected = stats.t.interval(0.95, 5, loc=means.mean(), scale=stats.sem(means))
    np.testing.assert_allclose(a.interval(), np.exp(expected))
    found = paired_difference(a, b)
    change = means - np.array([b.window_nll[groups == g].sum() / 40 for g in range(6)])
    test = stats.ttest_1samp(change, 0.0)
    interval = test.confidence_interval(0.95)
    np.testing.assert_allclose(found.interval(), (interval.low, interval.high))
    assert found.is_clear == (test.pvalue < 0.05)
    assert "6 documents; 95 % intervals are ± 2.57 standard errors" in a.sample.note()


def test_documents_of_unequal_size_are_left_out_one_by_one():
    rng = np.random.default_rng(0)
    nll, tokens, groups = rng.gamma(20, size=40), rng.integers(5, 15, 40), np.arange(40) // 6
    result = result_of(nll, tokens, groups)
    without = [nll[groups != g].sum() / tokens[groups != g].sum() for g in range(7)]
    jackknife = np.sqrt(6 / 7 * np.square(np.array(without) - result.mean_nll).sum())
    assert result.mean_error == pytest.approx(jackknife)


def test_under_five_documents_give_no_interval_and_say_so():
    """Blocks of windows stood in for documents, and 95 % intervals covered 46 to 81 %."""
    rng = np.random.default_rng(0)
    a, b = (result_of(rng.gamma(20, size=80), groups=np.arange(80) // 20) for _ in range(2))
    assert np.isnan([a.standard_error, *a.interval()]).all()
    assert a.text() == f"{a.perplexity:.2f} (no interval)"
    assert "4 documents give no interval: it takes 5" in a.sample.note()
    found = paired_difference(a, b)
    assert np.isnan([found.standard_error, *found.interval()]).all()
    assert not found.is_clear
    assert found.text() == f"{found.difference:+.4f} (no interval)"


def test_a_model_differs_from_itself_by_nothing(llama):
    windows = tiny.toy_windows(UNEQUAL)
    a, b = perplexity(llama.model, windows), perplexity(llama.model, windows)
    difference = paired_difference(a, b)
    assert difference.difference == 0
    np.testing.assert_array_equal(paired_difference(b, a).interval(), difference.interval())


def test_the_paired_difference_is_in_nats_per_token():
    a, b = result_of([3.0, 5.0, 8.0], [1, 2, 5]), result_of([2.0, 5.0, 4.0], [1, 2, 5])
    assert paired_difference(a, b).difference == pytest.approx((1 + 0 + 4) / 8)
    # of a partial result, the windows that both have read are paired, whichever those are
    some = np.array([0, 2])
    partial_ = replace(a.restricted_to(some), protocol=a.protocol)
    assert paired_difference(partial_, b).difference == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    "changes",
    [{"text_sha256": "another"}, {"window": 12}, {"dtype": "bfloat16"}, {"n_windows": 4}],
)
def test_results_under_different_protocols_are_not_paired(changes):
    a = result_of([3.0, 5.0, 8.0])
    b = replace(a, protocol=replace(a.protocol, **changes))
    with pytest.raises(SettingsError, match=next(iter(changes))):
        paired_difference(a, b)


def test_results_of_different_domains_are_not_paired():
    whole = result_of([3.0, 5.0, 8.0, 1.0], groups=[0, 0, 1, 1])
    first, second = whole.restricted_to(np.array([0, 1])), whole.restricted_to(np.array([2, 3]))
    with pytest.raises(SettingsError, match="other windows"):
        paired_difference(first, second)


def test_results_are_stored_and_damage_is_noticed(llama, tmp_path):
    result = perplexity(llama.model, tiny.toy_windows((16,) * 6, n_documents=6))
    inputs = {name: "x" for name in ("fingerprint", "dtype", "cut_key", "text_sha256")}
    facts = {"model_name": "toy", "plan_id": ""}
    result.save(tmp_path / "evaluations" / "id", {**inputs, "window": 8}, facts)
    loaded = Perplexity.load(tmp_path / "evaluations" / "id")
    np.testing.assert_array_equal(loaded.window_nll, result.window_nll)
    np.testing.assert_array_equal(loaded.groups, result.groups)
    assert loaded.protocol == result.protocol
    assert loaded.sample.n == result.sample.n == 6
    assert loaded.standard_error == result.standard_error > 0
    for damaged in ("{", "{}", '{"window_nll": [1.0], "window_tokens": [], "groups": []}'):
        (tmp_path / "evaluations" / "id" / "perplexity.json").write_text(damaged)
        with pytest.raises(CorruptArtifactError):
            Perplexity.load(tmp_path / "evaluations" / "id")


def test_parts_of_one_text_are_one_document_for_perplexity_too() -> None:
    """Windows of "X, part 1" and "X, part 2" were two documents, and errors too small."""
    windows = tiny.toy_windows(n_documents=4)
    named = type(windows)(
        **{
            field: getattr(windows, field)
            for field in ("token_ids", "starts", "document_index", "domain_index",
                          "domain_names", "window", "n_dummy_tokens")
        },
        document_names=("X, part 1", "X, part 2", "Y", "Z"),
    )  # fmt: skip
    assert len(np.unique(documents_of(named))) == 3
