"""Memory that is let go: kept for the next pass while work lasts, given back when it ends.

A pass of a model takes hundreds of megabytes, layer by layer, and lets them go again. The C library
gives them back to the system at once, and the next layer waits until it has pages once more, each
filled with zeros: a third of the time of a pass on a CPU. All of this is of glibc; without it
nothing is done.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

# Of `mallopt`, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MOST = (1 << 31) - 1  # that an int holds
_LARGEST_OF_OLD = 1 << 25  # that versions before 2.35 take; also what glibc settles at by itself


class _Allocator:
    """How much free memory the C library keeps.

    What holds is the process's: of two blocks at once the first begins to keep, and the last ends
    it. They do not wait for one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_blocks, self._usual = 0, _LARGEST_OF_OLD

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is let go while the block runs."""
        with self._lock:
            if not self._n_blocks:
                self._give_back_from(_MOST)
            self._n_blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_blocks -= 1
                if not self._n_blocks:
                    self._give_back_from(self._usual)
                    trim()

    def settle(self, n_bytes: int) -> None:
        """Give back pieces of so many bytes at once, outside of all blocks."""
        with self._lock:
            self._usual = n_bytes
            if not self._n_blocks:
                self._give_back_from(n_bytes)

    @staticmethod
    def _give_back_from(n_bytes: int) -> None:
        library = _glibc()
        if library is not None:
            if not library.mallopt(_M_MMAP_THRESHOLD, n_bytes):
                library.mallopt(_M_MMAP_THRESHOLD, min(n_bytes, _LARGEST_OF_OLD))
            library.mallopt(_M_TRIM_THRESHOLD, min(2 * n_bytes, _MOST))


_ALLOCATOR = _Allocator()


@contextmanager
def kept() -> Iterator[None]:
    """Keep memory that is let go inside the block for what asks next; give it back at its end."""
    with _ALLOCATOR.keeping():
        yield


def give_back_from(n_bytes: int) -> None:
    """Give pieces of so many bytes back to the system as soon as they are free, but in `kept`."""
    _ALLOCATOR.settle(n_bytes)


def limit_arenas(n: int) -> None:
    """Keep glibc from holding an arena of free memory for each thread."""
    library = _glibc()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, n)


def trim() -> None:
    """Give free memory back to the system, where glibc can."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def prefer_large_pages(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let torch ask for pages of 2 MB, of which a pass takes 500 times fewer.

    Counts from a process's first tensor on, so it is said before torch is imported.
    """
    environment.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
