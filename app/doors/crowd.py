"""How many websockets are open at once, of one visit and of all.

Each is a session with a script, threads and open files: without a bound, one visitor who opens
hundreds leaves none for others.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: A socket is an open tab. Streamlit opens four files for each, and keeps ended sessions a while.
MOST_OF_A_VISIT, MOST = 48, 256
_FILES = 8192


class Crowd:
    """Open websockets by visit; those without a visit's cookie count as one visit."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def has_room(self, visit: str) -> bool:
        """Whether one more may open."""
        return self._open[visit] < MOST_OF_A_VISIT and self._open.total() < MOST

    @contextmanager
    def counted(self, visit: str) -> Iterator[None]:
        """Count one more as long as this is held."""
        self._open[visit] += 1
        try:
            yield
        finally:
            self._open[visit] -= 1
            self._open += Counter()  # forgets visits that have none


def raise_open_files() -> None:
    """Let this process open the files of so many sockets: most systems begin with 1,024."""
    with suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))
