"""Locks of small files that several processes write, such as names and notes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fnprune_core.storage.folders import lock_file, storage_errors, take_lock

_WAIT_S = 10.0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; others wait, for the time of one small write.

    Raises
    ------
    StorageError
        If another process keeps it for `_WAIT_S` seconds: one that was stopped may never go on.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock_file(path.parent / f".{path.stem}.lock")
    with file:
        take_lock(
            file,
            f"{path.name} is kept by another process, which does not go on; nothing was changed.",
            hint="Is one of yours stopped (Ctrl+Z)? Let it go on (`fg`) or end it.",
            wait_s=_WAIT_S,
        )
        yield


def renamed_away(path: Path) -> Path:
    """Rename a file that cannot be read out of the way; return its new path."""
    new_path = path.with_name(f"{path.stem}-set-aside-{uuid.uuid4().hex[:8]}.json")
    with locked(path), storage_errors(path), suppress(FileNotFoundError):  # another was faster
        path.rename(new_path)
    return new_path
