"""Memory that is let go: kept for the next pass while work lasts, given back when it ends.

A pass of a model takes hundreds of megabytes, layer by layer, and lets them go again. The C library
gives them back to the system at once, and the next layer waits until it has pages once more, each
filled with zeros: a quarter of the time of a pass on a CPU. All of this is of glibc (all of it from
2.35 on); without it nothing is done, and what a person has set by the environment stays.
"""

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from fnprune_core.machine.blocks import SharedBlocks

# Of `mallopt`, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MOST = (1 << 31) - 1  # that an int holds
_LARGEST_OF_OLD = 1 << 25  # that versions before 2.35 take; also what glibc settles at by itself
_BY_HAND = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX")
_TUNABLES = "GLIBC_TUNABLES", "glibc.malloc."


class Allocator:
    """How much free memory the C library keeps.

    What holds is the process's: of two blocks at once the first begins to keep, and the last ends
    it.

    Parameters
    ----------
    library : object, optional
        The C library, with `mallopt` and `malloc_trim`.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._usual = _LARGEST_OF_OLD
        self._blocks = SharedBlocks(lambda: self._give_back_from(_MOST), self._end)

    @property
    def is_keeping(self) -> bool:
        """Whether memory is kept, for some block is open."""
        return self._blocks.n_open > 0 and self._may_be_set

    def keeping(self) -> AbstractContextManager[None]:
        """Keep what is let go while the block runs."""
        return self._blocks.opened()

    def settle(self, n_bytes: int) -> None:
        """Give back pieces of so many bytes at once, where no block is open."""
        with self._blocks.lock:
            self._usual = n_bytes
            if not self._blocks.n_open:
                self._give_back_from(n_bytes)

    def _end(self) -> None:
        self._give_back_from(self._usual)
        self.trim()

    def limit_arenas(self, n: int) -> None:
        """Hold free memory for so many threads at most, and not for each."""
        if self._may_be_set:
            self._library.mallopt(_M_ARENA_MAX, n)

    def trim(self) -> None:
        """Give free memory back to the system, but while it is kept."""
        if self._library is not None and not self.is_keeping:
            self._library.malloc_trim(0)

    @property
    def _may_be_set(self) -> bool:
        return self._library is not None and not _is_set_by_hand(os.environ)

    def _give_back_from(self, n_bytes: int) -> None:
        if not self._may_be_set:
            return
        if not self._library.mallopt(_M_MMAP_THRESHOLD, n_bytes):
            self._library.mallopt(_M_MMAP_THRESHOLD, min(n_bytes, _LARGEST_OF_OLD))
        self._library.mallopt(_M_TRIM_THRESHOLD, min(2 * n_bytes, _MOST))


@contextmanager
def kept() -> Iterator[None]:
    """Keep memory that is let go inside the block for what asks next; give it back at its end.

    From then on the process gives back pieces of 32 MB at once, or of what `give_back_from` says:
    what glibc comes to by itself, but fixed.
    """
    with _allocator().keeping():
        yield


def give_back_from(n_bytes: int) -> None:
    """Give pieces of so many bytes back to the system once they are free, but those of `kept`."""
    _allocator().settle(n_bytes)


def limit_arenas(n: int) -> None:
    """Keep glibc from holding an arena of free memory for each thread."""
    _allocator().limit_arenas(n)


def trim() -> None:
    """Give free memory back to the system, where glibc can, but while it is kept."""
    _allocator().trim()


def prefer_large_pages(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let torch ask for pages of 2 MB, of which a pass takes 500 times fewer.

    Counts from a process's first tensor on, so it is said before there is any.
    """
    environment.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _is_set_by_hand(environment: Mapping[str, str]) -> bool:
    name, of_malloc = _TUNABLES
    return any(name in environment for name in _BY_HAND) or of_malloc in environment.get(name, "")


@cache
def _allocator() -> Allocator:
    """Return the process's."""
    if sys.platform != "linux":
        return Allocator(None)
    library = ctypes.CDLL(None)
    has_both = hasattr(library, "mallopt") and hasattr(library, "malloc_trim")
    return Allocator(library if has_both else None)
