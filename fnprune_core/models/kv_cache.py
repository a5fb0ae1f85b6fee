"""The cache of keys and values, under the name that this version of transformers has for it."""

from collections.abc import Mapping
from typing import Any

_NAMES = ("cache", "past_key_values")  # of newer and older transformers


def carried(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's next pass takes of its last output, as keyword arguments."""
    name = next(name for name in _NAMES if output.get(name) is not None)
    return {name: output[name]}
