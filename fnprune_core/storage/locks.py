"""Locks of small files that several processes write, such as names and notes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fnprune_core.storage.folders import lock_file, storage_errors


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; others wait, for the time of one small write."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock_file(path.parent / f".{path.stem}.lock")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
