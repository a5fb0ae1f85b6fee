"""What a model's output holds: how probable its tokens are, and its cache of keys and values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

#: Of the float32 scores of some tokens: what stays in a processor's cache, and suits a GPU.
_CACHED_BYTES, _GPU_BYTES = 1 << 19, 1 << 26
#: Names of the cache in newer and older transformers.
_CACHE_NAMES = ("cache", "past_key_values")


def cache_arguments(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cache in a model's last output, as keyword arguments for its next pass."""
    name = next(name for name in _CACHE_NAMES if output.get(name) is not None)
    return {name: output[name]}


def token_log_probabilities(logits: Tensor, ids: Tensor) -> Tensor:
    """Return log p of each token but the first, given those before it: (tokens − 1,), float32.

    The vocabulary is wide: all tokens' scores in float32 would go to memory and come back three
    times, which takes five times as long.

    Parameters
    ----------
    logits : Tensor (tokens, vocabulary)
    ids : Tensor (tokens,)
        On the same device.
    """
    n_bytes = _CACHED_BYTES if logits.device.type == "cpu" else _GPU_BYTES
    n_tokens = max(1, n_bytes // (4 * logits.shape[-1]))
    parts = zip(logits[:-1].split(n_tokens), ids[1:].split(n_tokens), strict=True)
    return torch.cat(
        [
            torch.log_softmax(part.float(), dim=-1).gather(1, targets[:, None]).squeeze(1)
            for part, targets in parts
        ]
    )
