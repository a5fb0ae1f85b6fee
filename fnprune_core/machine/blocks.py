"""Blocks of which the first begins something of the whole process, and the last ends it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SharedBlocks:
    """Counts the blocks that are open; they do not wait for one another.

    Parameters
    ----------
    begin, end : callable
        Called as the first block opens, and as the last one closes, under the lock.

    Attributes
    ----------
    lock : RLock
        Held while blocks open and close. One thread may hold it twice: a block may be ended by a
        finaliser, in the midst of another.
    n_open : int
    """

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin, self._end = begin, end
        self.lock, self.n_open = threading.RLock(), 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open a block; it closes with this one."""
        with self.lock:
            if not self.n_open:
                self._begin()
            self.n_open += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_open -= 1
                if not self.n_open:
                    self._end()
