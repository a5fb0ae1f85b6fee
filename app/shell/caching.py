"""The caches of all sessions: bounded by bytes together, in one place, each value computed once.

A cached function is called as before. Its value is shared by all sessions and never changed:
lists, dicts and tables are handed out as shallow copies, and arrays are read-only. When a new
value needs room, those that were not asked for longest go first.
"""

import functools
import inspect
import logging
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd
import streamlit as st

from app.shell.caches.memory import MAX_RESIDENT, Relief
from app.shell.caches.store import Caches

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
K = TypeVar("K")

_log = logging.getLogger(__name__)
_MAX_BYTES = 600_000_000


def configured_bytes(environment: Mapping[str, str]) -> int:
    """Return the bound of ``FNPRUNE_CACHE_BYTES``; a wrong one is logged, and the default holds."""
    text = environment.get("FNPRUNE_CACHE_BYTES", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    if text:
        _log.warning(
            "FNPRUNE_CACHE_BYTES is %r, expected a number of bytes; %d holds.", text, _MAX_BYTES
        )
    return _MAX_BYTES


CACHES = Caches(configured_bytes(os.environ))
_ALONE = threading.Lock()
_RELIEF = Relief(MAX_RESIDENT)


class Cached(Generic[P, R]):
    """A function whose values are kept in `CACHES`."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        max_entries: int,
        spinner: str,
        alone: bool,
        made_of: Callable[..., object],
    ) -> None:
        functools.update_wrapper(self, function)
        self._function, self._max_entries, self._spinner = function, max_entries, spinner
        self._alone, self._made_of = alone, made_of
        self._name = f"{function.__module__}.{function.__qualname__}"
        parameters = inspect.signature(function).parameters
        self._names = tuple(parameters)
        self._is_key = tuple(not name.startswith("_") for name in self._names)
        self._defaults = {name: each.default for name, each in parameters.items()}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the function's value, from before where its arguments are equal.

        Arguments whose names begin with an underscore do not count.
        """
        value = CACHES.get(
            self._name,
            (self._key(args, kwargs), hashable(self._made_of(*args, **kwargs))),
            lambda: self._compute(args, kwargs),
            max_entries=self._max_entries,
        )
        return cast(R, _handed_out(value))

    def _key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
        rest = self._names[len(args) :]
        values = (*args, *(kwargs.get(name, self._defaults[name]) for name in rest))
        return tuple(
            hashable(value) for value, counts in zip(values, self._is_key, strict=True) if counts
        )

    def _compute(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> R:
        # The spinner is drawn once it is this one's turn: there Streamlit stops a run whose person
        # has chosen something else meanwhile, and nothing is computed for it.
        with (
            _ALONE if self._alone else nullcontext(),
            st.spinner(self._spinner) if self._spinner else nullcontext(),
        ):
            value = self._function(*args, **kwargs)
        _RELIEF(CACHES.values, CACHES.shrink, CACHES.max_bytes)
        return value

    def clear(self) -> None:
        """Forget the values."""
        CACHES.clear(self._name)


@dataclass(frozen=True, slots=True)
class Latest(Generic[K, T]):
    """The last results of jobs, kept in `CACHES` and found by what was asked for.

    Parameters
    ----------
    name : str
    max_entries : int
        Beyond them, the oldest goes.
    """

    name: str
    max_entries: int

    def get(self, key: K) -> T | None:
        """Return a stored result, or None."""
        found: T | None = CACHES.find(self.name, hashable(key))
        return found

    def put(self, key: K, value: T) -> None:
        """Store a result."""
        CACHES.keep(self.name, hashable(key), value, max_entries=self.max_entries)


def cached(
    *,
    max_entries: int,
    spinner: str = "",
    alone: bool = False,
    made_of: Callable[..., object] = lambda *_, **__: None,
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Return the decorator that keeps a function's values for all sessions.

    Parameters
    ----------
    max_entries : int
        Values of this function that are kept at most, within the bytes of all.
    spinner : str, optional
        What the page says while a value is computed.
    alone : bool
        Whether it is computed while no other such value is: many at once, each on all cores,
        take longer than one after another. It must not ask for another value of this kind.
    made_of : callable, optional
        Gets the function's arguments, and returns what else its value depends on, such as when
        a file was written: the value is computed anew once that changes.
    """
    return lambda function: Cached(
        function, max_entries=max_entries, spinner=spinner, alone=alone, made_of=made_of
    )


def hashable(value: Any) -> Hashable:
    """Return a key that equal arguments share; arrays count by their bytes, models by weights."""
    if isinstance(value, str | int | float | bytes | type(None)):
        return value
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes())
    if isinstance(value, Mapping):
        return tuple((key, hashable(held)) for key, held in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(hashable(held) for held in value)
    if hasattr(value, "fingerprint") and hasattr(value, "dtype"):
        return (value.fingerprint, str(value.dtype))
    if is_dataclass(value) and not isinstance(value, type):
        held = tuple(hashable(getattr(value, each.name)) for each in fields(value))
        return (type(value).__qualname__, held)
    return cast(Hashable, value)


def _handed_out(value: T) -> T:
    """Return what a caller may change at its top: its own list, dict or table."""
    if type(value) is list or type(value) is dict:
        return cast(T, value.copy())  # type: ignore[attr-defined]
    if isinstance(value, pd.DataFrame):
        return cast(T, value.copy(deep=False))
    return value
