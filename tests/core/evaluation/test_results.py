from dataclasses import replace

import numpy as np
import pytest
import tiny
from losses import result_of

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


def test_the_standard_error_is_over_blocks_of_windows(llama):
    rng = np.random.default_rng(0)
    nll, tokens = rng.gamma(20, size=40), rng.integers(5, 15, 40)
    result = result_of(nll, tokens)
    # 20 blocks of two neighbouring windows, the delta method for a ratio of sums
    sums, counts = nll.reshape(20, 2).sum(axis=1), tokens.reshape(20, 2).sum(axis=1)
    mean = nll.sum() / tokens.sum()
    variance = 20 / 19 * np.square(sums - mean * counts).sum() / tokens.sum() ** 2
    assert result.standard_error == pytest.approx(np.exp(mean) * np.sqrt(variance))
    assert result.resampling_unit == "blocks of windows"


def test_the_standard_error_is_over_documents_where_there_are_20():
    rng = np.random.default_rng(0)
    nll = rng.gamma(20, size=60)
    groups = rng.permutation(np.repeat(np.arange(20), 3))
    result = result_of(nll, groups=groups)
    # documents of equal size: the standard error of a mean of 20 numbers
    means = np.array([nll[groups == g].sum() / 30 for g in range(20)])
    expected = result.perplexity * means.std(ddof=1) / np.sqrt(20)
    assert result.standard_error == pytest.approx(expected)
    assert result.resampling_unit == "documents"
    fewer = result_of(nll, groups=np.minimum(groups, 18))
    assert fewer.resampling_unit == "blocks of windows"


def test_a_single_window_has_no_standard_error():
    assert np.isnan(result_of([3.0]).standard_error)


def test_the_standard_error_is_the_spread_of_repeated_measurements():
    rng = np.random.default_rng(0)
    results = [result_of(rng.gamma(20, size=100)) for _ in range(300)]
    spread = np.std([r.perplexity for r in results])
    assert np.mean([r.standard_error for r in results]) == pytest.approx(spread, rel=0.1)


def test_a_model_differs_from_itself_by_nothing(llama):
    windows = tiny.toy_windows(UNEQUAL)
    a, b = perplexity(llama.model, windows), perplexity(llama.model, windows)
    difference = paired_difference(a, b)
    assert (difference.difference, difference.standard_error) == (0, 0)


def test_the_paired_difference_is_in_nats_per_token():
    a, b = result_of([3.0, 5.0, 8.0], [1, 2, 5]), result_of([2.0, 5.0, 4.0], [1, 2, 5])
    difference = paired_difference(a, b)
    assert difference.difference == pytest.approx((1 + 0 + 4) / 8)
    residuals = np.array([1, 0, 4]) - 5 / 8 * np.array([1, 2, 5])
    expected = np.sqrt(3 / 2 * np.square(residuals).sum()) / 8
    assert difference.standard_error == pytest.approx(expected)
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
    result = perplexity(llama.model, tiny.toy_windows())
    inputs = {name: "x" for name in ("fingerprint", "dtype", "cut_key", "text_sha256")}
    facts = {"model_name": "toy", "plan_id": ""}
    result.save(tmp_path / "evaluations" / "id", {**inputs, "window": 8}, facts)
    loaded = Perplexity.load(tmp_path / "evaluations" / "id")
    np.testing.assert_array_equal(loaded.window_nll, result.window_nll)
    np.testing.assert_array_equal(loaded.groups, result.groups)
    assert loaded.protocol == result.protocol
    assert loaded.standard_error == result.standard_error
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
