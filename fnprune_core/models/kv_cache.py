"""The cache of keys and values, under the name that this version of transformers has for it."""

from collections.abc import Mapping
from typing import Any

_NAMES = ("cache", "past_key_values")  # of newer and older transformers


def cache_arguments(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cache in a model's last output, as keyword arguments for its next pass."""
    name = next(name for name in _NAMES if output.get(name) is not None)
    return {name: output[name]}
