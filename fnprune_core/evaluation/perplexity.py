"""Perplexity as a stream of partial results, window by window, which can be resumed."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.errors import NonFiniteError
from fnprune_core.evaluation.results import (
    Perplexity,
    Protocol,
    documents_of,
    domains_of,
)
from fnprune_core.machine import memory
from fnprune_core.machine.batches import FittingBatches, in_passes, is_on_cpu, windows_that_fit
from fnprune_core.models.outputs import token_log_probabilities
from fnprune_core.models.projections import weight_of
from fnprune_core.models.sources.finite import not_finite_hint
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.texts.windows import Windows, batches_of, stacked_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Windows that a GPU reads together; a CPU reads one for each thread.
_BATCH_SIZE = 4

Context = Callable[[], AbstractContextManager[Any]]


def protocol_of(model: "PreTrainedModel", windows: Windows) -> Protocol:
    """Return the protocol by which this model's perplexity on these windows is measured."""
    return Protocol(
        text_sha256=windows.text_sha256,
        n_tokens=windows.n_tokens - windows.n_windows,
        n_windows=windows.n_windows,
        window=windows.window,
        adds_bos=windows.adds_bos,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        device=weight_of(model.get_input_embeddings()).device.type,
        chat=windows.chat,
    )


def perplexity_stream(
    model: "PreTrainedModel",
    windows: Windows,
    *,
    batch_size: int | None = None,
    context: Context = nullcontext,
    on_pass: Callable[[int, float], None] = lambda n_tokens, seconds: None,
    so_far: Perplexity | None = None,
    cancel: CancelToken = NEVER,
) -> Iterator[Perplexity]:
    """Yield the perplexity of all windows read so far, batch by batch; the last is the whole.

    All predictions of each window count, weighted by tokens. Domains are read in turn, so that
    each partial result tells something of all.

    Parameters
    ----------
    batch_size : int, optional
        Windows that are read together; by default four, and fewer if a GPU should not hold them;
        on a CPU as many as its threads read at a time. Where memory runs out, half as many from
        then on.
    context : callable
        Returns a context manager that is entered around each forward pass (``silenced`` for a
        preview, or of nothing to hold the lock of a shared model); it is never open while a
        result is handed out.
    on_pass : callable
        Called with the tokens and seconds of each pass with its losses.
    so_far : Perplexity, optional
        A partial result to go on from; one under another protocol is ignored.

    Raises
    ------
    NonFiniteError
        If a loss is not finite, naming the window.
    """
    device = weight_of(model.get_input_embeddings()).device
    protocol = protocol_of(model, windows)
    nll = np.full(windows.n_windows, np.nan)
    if so_far is not None and so_far.protocol == protocol:
        nll[so_far.windows] = so_far.window_nll
    documents, domains = documents_of(windows), domains_of(windows)

    def result_so_far() -> Perplexity:
        read_windows = np.flatnonzero(~np.isnan(nll))
        return Perplexity(
            window_nll=nll[read_windows],
            window_tokens=(np.diff(windows.starts)[read_windows] - 1).astype(np.int64),
            groups=documents[read_windows],
            protocol=protocol,
            windows=read_windows,
            domains=domains[read_windows],
            domain_names=windows.domain_names,
        )

    if not np.isnan(nll).any():
        yield result_so_far()
    if batch_size is None:
        most = 1 if is_on_cpu(model) else _BATCH_SIZE
        batch_size = windows_that_fit(model, windows.window, most=most)

    def losses(batch: range) -> list[float]:
        cancel.raise_if_cancelled()
        ids = stacked_ids(windows, batch).to(device)

        def read(rows: slice) -> list[float]:
            logits = model(ids[rows], use_cache=False).logits
            return [
                _loss(row, window_ids, window)
                for row, window_ids, window in zip(logits, ids[rows], batch[rows], strict=True)
            ]

        start = time.perf_counter()
        with context():
            found = [loss for part in in_passes(model, ids, read) for loss in part]
        on_pass(ids.numel(), time.perf_counter() - start)
        return found

    fitting = FittingBatches(batch_size)
    for batch in _deal_over_domains(list(batches_of(windows, batch_size)), domains):
        if not np.isnan(nll[batch]).any():
            continue
        for part, found in fitting.parts(batch, losses):
            nll[part] = found
        yield result_so_far()


def _deal_over_domains(batches: list[range], domains: NDArray[np.int64]) -> list[range]:
    """Return batches dealt over the domains that they begin in."""
    n_dealt: dict[int, int] = {}
    turns = []
    for batch in batches:
        domain = int(domains[batch.start])
        turns.append((n_dealt.get(domain, 0), domain, batch))
        n_dealt[domain] = n_dealt.get(domain, 0) + 1
    return [batch for _, _, batch in sorted(turns, key=lambda turn: turn[:2])]


def _loss(logits: torch.Tensor, ids: torch.Tensor, window: int) -> float:
    """Return the sum of −log p of one window's predictions."""
    total = -float(token_log_probabilities(logits, ids).cpu().double().sum())
    if not np.isfinite(total):
        raise NonFiniteError(
            f"The loss of window {window} is not finite.",
            hint=not_finite_hint(logits.dtype),
        )
    return total


@memory.kept()
def perplexity(
    model: "PreTrainedModel",
    windows: Windows,
    *,
    batch_size: int | None = None,
    context: Context = nullcontext,
    cancel: CancelToken = NEVER,
) -> Perplexity:
    """Return the last result of `perplexity_stream`."""
    stream = perplexity_stream(
        model, windows, batch_size=batch_size, context=context, cancel=cancel
    )
    return deque(stream, maxlen=1).pop()  # there is at least one window
