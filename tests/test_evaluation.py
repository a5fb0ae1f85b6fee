from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import CorruptArtifactError, NonFiniteError, SettingsError
from fnprune_core.evaluation.perplexity import perplexity, perplexity_stream
from fnprune_core.evaluation.results import Perplexity, Protocol, paired_difference
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import Cancelled, CancelToken

UNEQUAL = (32, 32, 9, 20, 20, 20, 32)


def plain_loop(model, windows):
    """Sum of −log p and number of predictions, by transformers' own loss."""
    total, n_tokens = 0.0, 0
    for i in range(windows.n_windows):
        ids = torch.from_numpy(windows.window_ids(i).astype(np.int64))[None]
        with torch.no_grad():
            loss = model(ids, labels=ids).loss
        total += float(loss) * (ids.shape[1] - 1)
        n_tokens += ids.shape[1] - 1
    return total, n_tokens


def result_of(window_nll, window_tokens=None, groups=None):
    """A finished result with the given losses; one document unless told otherwise."""
    n = len(window_nll)
    window_tokens = np.full(n, 10) if window_tokens is None else np.asarray(window_tokens)
    return Perplexity(
        window_nll=np.asarray(window_nll, dtype=float),
        window_tokens=window_tokens,
        groups=np.zeros(n, dtype=int) if groups is None else np.asarray(groups),
        protocol=Protocol(
            text_sha256="text", n_tokens=int(window_tokens.sum()), n_windows=n, window=11,
            adds_bos=False, dtype="float32", device="cpu",
        ),
    )  # fmt: skip


def test_perplexity_is_that_of_a_plain_loop(language_model):
    windows = tiny.toy_windows(UNEQUAL)
    total, n_tokens = plain_loop(language_model.model, windows)
    result = perplexity(language_model.model, windows)
    assert result.n_tokens == n_tokens == sum(UNEQUAL) - len(UNEQUAL)
    assert result.perplexity == pytest.approx(np.exp(total / n_tokens), rel=1e-4)
    unweighted = np.exp((result.window_nll / result.window_tokens).mean())
    assert abs(result.perplexity / unweighted - 1) > 1e-3  # so the weights are seen


def test_the_batch_size_changes_nothing_and_the_last_partial_is_the_whole(llama):
    windows = tiny.toy_windows(UNEQUAL)
    whole = perplexity(llama.model, windows, batch_size=1)
    for batch_size in (2, 3, 8):
        partials = list(perplexity_stream(llama.model, windows, batch_size=batch_size))
        np.testing.assert_allclose(partials[-1].window_nll, whole.window_nll, rtol=1e-5)
        for partial_ in partials:
            read = partial_.windows
            np.testing.assert_array_equal(partial_.window_nll, partials[-1].window_nll[read])
            assert partial_.n_tokens == whole.window_tokens[read].sum()
            assert partial_.protocol == whole.protocol
        assert [p.is_complete for p in partials] == [False] * (len(partials) - 1) + [True]
    assert whole.protocol.n_windows == len(UNEQUAL)
    assert whole.protocol.n_tokens == whole.n_tokens


def test_the_context_is_entered_for_each_pass_and_never_open_in_between(llama):
    is_open, entered = [], []

    @contextmanager
    def context():
        entered.append(True)
        is_open.append(True)
        with silenced(llama, tiny.ragged_removal(llama.layout)):
            yield
        is_open.clear()

    windows = tiny.toy_windows()
    results = []
    for result in perplexity_stream(llama.model, windows, batch_size=2, context=context):
        results.append(result)
        assert not is_open
        assert tiny.is_idle(llama)
    assert len(entered) == 4
    assert results[-1].perplexity != perplexity(llama.model, windows).perplexity


def test_it_stops_between_batches(llama):
    token = CancelToken()
    stream = perplexity_stream(llama.model, tiny.toy_windows(), batch_size=2, cancel=token)
    next(stream)
    token.cancel()
    with pytest.raises(Cancelled):
        next(stream)


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


def test_a_part_of_the_windows_is_what_they_give_alone(llama):
    windows = tiny.toy_windows(UNEQUAL)
    chosen = np.array([2, 5, 6])
    part = perplexity(llama.model, windows).restricted_to(chosen)
    alone = perplexity(llama.model, windows.select(chosen))
    assert part.perplexity == pytest.approx(alone.perplexity)
    assert part.n_tokens == alone.n_tokens == part.protocol.n_tokens
    assert part.is_complete


def test_a_loss_that_is_not_finite_names_its_window(llama):
    windows = tiny.toy_windows(UNEQUAL)
    with torch.no_grad():
        llama.model.lm_head.weight[int(windows.window_ids(0)[5])] = torch.nan
    with pytest.raises(NonFiniteError, match="window 0"):
        perplexity(llama.model, windows)


def test_results_are_stored_and_damage_is_noticed(llama, tmp_path):
    result = perplexity(llama.model, tiny.toy_windows())
    result.save(tmp_path / "evaluations" / "id", {}, {})
    loaded = Perplexity.load(tmp_path / "evaluations" / "id")
    np.testing.assert_array_equal(loaded.window_nll, result.window_nll)
    np.testing.assert_array_equal(loaded.groups, result.groups)
    assert loaded.protocol == result.protocol
    assert loaded.standard_error == result.standard_error
    for damaged in ("{", "{}", '{"window_nll": [1.0], "window_tokens": [], "groups": []}'):
        (tmp_path / "evaluations" / "id" / "perplexity.json").write_text(damaged)
        with pytest.raises(CorruptArtifactError):
            Perplexity.load(tmp_path / "evaluations" / "id")


def test_dense_by_any_context_is_the_same(llama):
    windows = tiny.toy_windows()
    nothing = [np.empty(0, dtype=np.int64)] * 3
    for context in (nullcontext, partial(silenced, llama, nothing)):
        result = perplexity(llama.model, windows, context=context)
        np.testing.assert_array_equal(
            result.window_nll, perplexity(llama.model, windows).window_nll
        )
