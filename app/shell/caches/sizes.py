"""How many bytes an object holds, as far as arrays, tables and texts go. Knows no streamlit."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

_ATOMS = (str, bytes, bytearray, int, float, complex, bool, type(None))
_MOST_ITEMS = 10_000  # of a collection that are looked at; the others count as their mean


def size_of(value: Any) -> int:
    """Return the bytes that an object holds in memory.

    Arrays mapped from files count nothing: their pages are the file's, and can be let go. What
    an object shares with itself is counted once; models and threads it may point to are not
    followed beyond their attributes.
    """
    return _size(value, set())


def mapped_arrays(value: Any) -> list[np.memmap[Any, Any]]:
    """Return the arrays mapped from files that an object holds."""
    found: dict[int, np.memmap[Any, Any]] = {}
    _find_mapped(value, set(), found)
    return list(found.values())


def _size(value: Any, seen: set[int]) -> int:
    if isinstance(value, _ATOMS):
        return sys.getsizeof(value)
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return _array_size(value, seen)
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        usage = value.memory_usage(deep=True)
        return int(usage if isinstance(usage, int | np.integer) else usage.sum())
    if type(value).__module__.partition(".")[0] in ("torch", "threading", "_thread"):
        return _tensor_size(value)
    own = sys.getsizeof(value, 64)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return own + _items_size(value, seen)
    return own + sum(_size(held, seen) for held in attributes(value))


def _array_size(array: np.ndarray[Any, Any], seen: set[int]) -> int:
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    if isinstance(array, np.memmap) or isinstance(base, np.memmap):
        return 0
    if base is not array:
        if id(base) in seen:
            return 0
        seen.add(id(base))
    return int(base.nbytes)


def _tensor_size(value: Any) -> int:
    return int(getattr(value, "nbytes", 0)) if hasattr(value, "untyped_storage") else 0


def _items_size(value: Any, seen: set[int]) -> int:
    items: Iterable[Any] = _both(value) if isinstance(value, Mapping) else value
    n = len(value) * (2 if isinstance(value, Mapping) else 1)
    total = 0
    for n_seen, item in enumerate(items):
        if n_seen == _MOST_ITEMS:
            return total * n // n_seen
        total += _size(item, seen)
    return total


def _both(value: Mapping[Any, Any]) -> Iterator[Any]:
    for pair in value.items():
        yield from pair


def attributes(value: Any) -> Iterator[Any]:
    """Yield what an object's attributes hold; classes, functions and modules hold nothing."""
    if isinstance(value, type) or callable(value):
        return
    yield from vars(value).values() if hasattr(value, "__dict__") else ()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__dict__" and hasattr(value, name):
                yield getattr(value, name)


def _find_mapped(value: Any, seen: set[int], found: dict[int, np.memmap[Any, Any]]) -> None:
    if isinstance(value, (*_ATOMS, pd.DataFrame)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.memmap):
        found[id(value)] = value
    elif isinstance(value, np.ndarray):
        _find_mapped(value.base, seen, found)
    elif isinstance(value, Mapping):
        for held in value.values():
            _find_mapped(held, seen, found)
    elif isinstance(value, list | tuple):
        for held in value[:_MOST_ITEMS]:
            _find_mapped(held, seen, found)
    elif type(value).__module__.startswith("fnprune_core"):
        for held in attributes(value):
            _find_mapped(held, seen, found)
