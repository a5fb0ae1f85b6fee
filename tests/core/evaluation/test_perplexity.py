from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import NonFiniteError
from fnprune_core.evaluation.perplexity import perplexity, perplexity_stream
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


@tiny.each_kind
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


def test_dense_by_any_context_is_the_same(llama):
    windows = tiny.toy_windows()
    nothing = [np.empty(0, dtype=np.int64)] * 3
    for context in (nullcontext, partial(silenced, llama, nothing)):
        result = perplexity(llama.model, windows, context=context)
        np.testing.assert_array_equal(
            result.window_nll, perplexity(llama.model, windows).window_nll
        )
