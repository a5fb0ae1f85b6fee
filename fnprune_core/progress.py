"""Progress events and cancellation, shared by everything that takes long."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """A step of long work: `done` of `total` units in `stage`."""

    stage: str
    done: int
    total: int
    unit: str


Progress = Callable[[ProgressEvent], None]


def ignore(event: ProgressEvent) -> None:
    """Take a progress event and do nothing."""


class Cancelled(Exception):
    """Raised inside long work when the person asked to stop."""


class CancelToken:
    """A flag that long work checks in its inner loop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` if `cancel` was called."""
        if self._event.is_set():
            raise Cancelled

    def __reduce__(self) -> tuple[Any, ...]:
        """Send a fresh token to another process: who waits here stops waiting for it."""
        return CancelToken, ()


class _Never(CancelToken):
    """A token that is never cancelled."""

    def cancel(self) -> None:
        """Refuse: this token is shared by all callers that cannot be cancelled."""
        raise RuntimeError("NEVER is shared and cannot be cancelled; make a CancelToken.")


NEVER = _Never()
