"""Progress events and cancellation, shared by everything that takes long."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """A step of long work: `done` of `total` units in `stage`.

    Parameters
    ----------
    overall : float, optional
        Share of all stages together that is done, in [0, 1], where their lengths are known.
    """

    stage: str
    done: int
    total: int
    unit: str
    overall: float | None = None


Progress = Callable[[ProgressEvent], None]


def ignore(event: ProgressEvent) -> None:
    """Take a progress event and do nothing."""


class Phases:
    """Progress of work in phases, told as a share of the whole.

    Parameters
    ----------
    seconds : mapping of str to float
        Phase to how long it is expected to take.
    report : callable
        Takes each event, with `overall` filled in; it never falls.
    """

    def __init__(self, seconds: Mapping[str, float], report: Progress) -> None:
        self._seconds, self._report = dict(seconds), report
        self._shares = dict.fromkeys(seconds, 0.0)

    @property
    def overall(self) -> float:
        """Share of all phases that is done."""
        total = sum(self._seconds.values())
        done = sum(self._seconds[name] * share for name, share in self._shares.items())
        return done / total if total > 0 else 0.0

    def within(self, name: str, stages: Mapping[str, float]) -> Progress:
        """Return the report of one phase.

        Parameters
        ----------
        stages : mapping of str to float
            Stages that the phase runs through, with the part of it that each takes; others are
            told without moving the whole.
        """
        done = dict.fromkeys(stages, 0.0)

        def report(event: ProgressEvent) -> None:
            if event.stage in done and event.total > 0:
                done[event.stage] = event.done / event.total
                share = sum(stages[stage] * each for stage, each in done.items())
                self.reach(name, share / sum(stages.values()))
            self.tell(event)

        return report

    def tell(self, event: ProgressEvent) -> None:
        """Report an event, with the share of all phases that is done."""
        self._report(replace(event, overall=self.overall))

    def reach(self, name: str, share: float = 1.0) -> None:
        """Note that a phase has come so far; to its end, by default."""
        self._shares[name] = max(self._shares[name], min(share, 1.0))


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
