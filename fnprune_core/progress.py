"""Progress events and cancellation, shared by everything that takes long."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """A step of long work: `done` of `total` units in `stage`.

    Parameters
    ----------
    overall : float, optional
        Share of all stages together that is done, in [0, 1], where their lengths are known.
    seconds_left : float, optional
        Of all stages together, at the pace at which they have come on of late.
    """

    stage: str
    done: int
    total: int
    unit: str
    overall: float | None = None
    seconds_left: float | None = None


Progress = Callable[[ProgressEvent], None]


def ignore(event: ProgressEvent) -> None:
    """Take a progress event and do nothing."""


#: Over so much time the pace is taken: a machine that has become busy is seen after as much.
_PACE_S = 60.0


class Phases:
    """Progress of work in phases, told as a share of the whole, and how long the rest takes.

    Parameters
    ----------
    seconds : mapping of str to float
        Phase to how long it is expected to take.
    report : callable
        Takes each event, with `overall` and `seconds_left` filled in; the former never falls.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        seconds: Mapping[str, float],
        report: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._report, self._clock = dict(seconds), report, clock
        self._shares = dict.fromkeys(seconds, 0.0)
        self._overall = 0.0
        # Times, and how many expected seconds of work each time saw done since the one before.
        self._steps: deque[tuple[float, float]] = deque([(clock(), 0.0)])

    @property
    def overall(self) -> float:
        """Share of all phases that is done."""
        total = sum(self._seconds.values())
        done = sum(self._seconds[name] * share for name, share in self._shares.items())
        self._overall = max(self._overall, done / total if total > 0 else 0.0)
        return self._overall

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace of late; None before any work was done."""
        first, last = self._steps[0][0], self._steps[-1][0]
        done = sum(seconds for _, seconds in list(self._steps)[1:])
        if done <= 0 or last <= first:
            return None
        left = sum(self._seconds[name] * (1 - share) for name, share in self._shares.items())
        return left * (last - first) / done

    def expect_left(self, name: str, seconds: float) -> None:
        """Expect another length of what is left of a phase, as is known by now."""
        share = self._shares[name]
        if share < 1:
            self._seconds[name] = seconds / (1 - share)

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
        """Report an event, with the share of all phases that is done and the time for the rest."""
        self._report(replace(event, overall=self.overall, seconds_left=self.seconds_left))

    def reach(self, name: str, share: float = 1.0) -> None:
        """Note that a phase has come so far; to its end, by default."""
        before = self._shares[name]
        self._shares[name] = max(before, min(share, 1.0))
        now = self._clock()
        self._steps.append((now, self._seconds[name] * (self._shares[name] - before)))
        while len(self._steps) > 2 and now - self._steps[1][0] > _PACE_S:
            self._steps.popleft()


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


def steps(
    items: Iterable[Item],
    *,
    stage: str,
    unit: str,
    total: int,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Iterator[Item]:
    """Yield the items of long work: each after a check of `cancel`, each reported when done."""
    for done, item in enumerate(items, start=1):
        cancel.raise_if_cancelled()
        yield item
        progress(ProgressEvent(stage=stage, done=done, total=total, unit=unit))
