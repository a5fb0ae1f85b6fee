"""Perplexities of given losses."""

import numpy as np

from fnprune_core.evaluation.results import Perplexity, Protocol


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
