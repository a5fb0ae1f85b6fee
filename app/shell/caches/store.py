"""The store of all cached values, bounded by bytes together. Knows no streamlit."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from app.shell.caches.sizes import size_of

T = TypeVar("T")
_SMALL = 1000  # bytes that an entry takes at least, with its key
_AUDIT_S = 15.0  # until sizes are measured again: what is opened grows while it is read


@dataclass(slots=True, eq=False)
class _Entry:
    value: Any
    n_bytes: int


class Caches:
    """Values of many functions, bounded by bytes together.

    Parameters
    ----------
    max_bytes : int
        Of all values; one that alone is larger is kept as long as it is the newest.
    clock : callable, optional
        Returns seconds; replaced in tests.
    """

    def __init__(self, max_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_bytes = max_bytes
        self._clock = clock
        self._audited = clock()
        self._lock = threading.RLock()
        self._entries: OrderedDict[tuple[str, Hashable], _Entry] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._pending: dict[tuple[str, Hashable], threading.Event] = {}  # computed by one session
        self._cleared: dict[str, int] = {}

    def n_bytes(self) -> int:
        """Return the bytes of all values."""
        with self._lock:
            return sum(entry.n_bytes for entry in self._entries.values())

    def get(self, name: str, key: Hashable, compute: Callable[[], Any], *, max_entries: int) -> Any:
        """Return a stored value, or compute it; sessions that ask meanwhile wait for it."""
        place = (name, key)
        while True:
            with self._lock:
                entry = self._entries.get(place)
                if entry is not None:
                    self._entries.move_to_end(place)
                    return entry.value
                pending = self._pending.get(place)
                if pending is None:
                    pending = self._pending[place] = threading.Event()
                    generation = self._cleared.get(name, 0)
                    break
            pending.wait()
        try:
            value = _frozen(compute())
            self._put(place, value, max_entries=max_entries, generation=generation)
        finally:
            with self._lock:
                del self._pending[place]
            pending.set()
        return value

    def find(self, name: str, key: Hashable) -> Any:
        """Return a stored value, or None."""
        with self._lock:
            entry = self._entries.get((name, key))
            return None if entry is None else entry.value

    def keep(self, name: str, key: Hashable, value: Any, *, max_entries: int) -> None:
        """Store a value that was made elsewhere."""
        generation = self._cleared.get(name, 0)
        self._put((name, key), value, max_entries=max_entries, generation=generation)

    def _put(
        self, place: tuple[str, Hashable], value: Any, *, max_entries: int, generation: int
    ) -> None:
        name = place[0]
        size = size_of(value) + _SMALL
        with self._lock:
            if self._cleared.get(name, 0) != generation:
                return  # cleared while it was computed: what it was made from is gone
            if place in self._entries:
                self._drop(place)
            self._entries[place] = _Entry(value, size)
            self._numbers[name] = self._numbers.get(name, 0) + 1
            if self._numbers[name] > max_entries:
                self._drop(next(p for p in self._entries if p[0] == name))
            if self._clock() - self._audited > _AUDIT_S:
                self._audit()
            self.shrink(self.max_bytes)

    def _audit(self) -> None:
        self._audited = self._clock()
        for entry in self._entries.values():
            if type(entry.value).__module__.startswith("fnprune_core"):
                entry.n_bytes = size_of(entry.value) + _SMALL

    def shrink(self, n_bytes: int) -> None:
        """Let go the values that were not asked for longest, down to a size; the newest stays."""
        with self._lock:
            total = self.n_bytes()
            for place in list(self._entries)[:-1]:
                if total <= n_bytes:
                    break
                total -= self._drop(place)

    def _drop(self, place: tuple[str, Hashable]) -> int:
        self._numbers[place[0]] -= 1
        return self._entries.pop(place).n_bytes

    def clear(self, name: str = "") -> None:
        """Forget the values of a function, or all."""
        with self._lock:
            for place in [p for p in self._entries if name in ("", p[0])]:
                self._drop(place)
            for cleared in [name] if name else {*self._cleared, *self._numbers}:
                self._cleared[cleared] = self._cleared.get(cleared, 0) + 1

    def values(self) -> list[Any]:
        """Return all values."""
        with self._lock:
            return [entry.value for entry in self._entries.values()]


def _frozen(value: T) -> T:
    if isinstance(value, np.ndarray) and not isinstance(value, np.memmap):
        value.setflags(write=False)
    return value
