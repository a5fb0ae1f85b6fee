"""The memory of the process: what the allocator and mapped files hold without need is let go."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from app.shell.caches.sizes import mapped_arrays
from fnprune_core.machine import memory
from fnprune_core.recording.pages import release_pages

#: Resident bytes above which pages of files, free memory and a quarter of the caches are let go.
MAX_RESIDENT = 1_600_000_000
_PAUSE_S = 3.0
_N_ARENAS = 2
_OWN_MAPPING = 4 << 20  # bytes from which memory is given back as soon as it is free


class Relief:
    """Lets memory go when the process has too much, at most every few seconds.

    Parameters
    ----------
    max_resident : int
        Bytes above which something is done.
    clock, resident : callable, optional
        Return seconds, and the process's resident bytes; replaced in tests.
    """

    def __init__(
        self,
        max_resident: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        resident: Callable[[], int] = lambda: resident_bytes(),
    ) -> None:
        self._max_resident, self._clock, self._resident = max_resident, clock, resident
        self._lock = threading.Lock()
        self._last = float("-inf")

    def __call__(
        self, values: Callable[[], list[Any]], shrink: Callable[[int], None], max_bytes: int
    ) -> bool:
        """Let go what can be let go; return whether anything had to be done."""
        with self._lock:
            now = self._clock()
            if now - self._last < _PAUSE_S or self._resident() <= self._max_resident:
                return False
            self._last = now
        for value in values():
            for array in mapped_arrays(value):
                release_pages(array)
        memory.trim()
        if self._resident() > self._max_resident:
            shrink(max_bytes * 3 // 4)
            memory.trim()
        return True


def resident_bytes() -> int:
    """Return the resident bytes of this process, 0 where that is not told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read often
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def settle() -> None:
    """Keep little of what is free: Streamlit runs every run of a page in a thread of its own."""
    memory.limit_arenas(_N_ARENAS)
    memory.give_back_from(_OWN_MAPPING)
