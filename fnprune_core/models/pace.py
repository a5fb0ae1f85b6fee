"""How long a model takes for a token, by what it does: measured while it works.

One timed pass says little of an hour of work: the machine is busy now and idle then, a lesion
costs what a plain pass does not. So work tells how long it took, and the next estimate is of that.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

#: A plain pass; a pass whose losses are kept, with units silenced or not; a recorded session; a
#: plan's score and least squares, by token of the calibration text; a token of that text under
#: a compensation that trains, all its passes together; and a token of samples that are written
#: together.
Work = Literal["pass", "reading", "recording", "planning", "training", "writing"]
#: Seconds of each beside a plain pass, until it was measured itself: on the embedded model, a
#: recording beside passes with memory kept (docs/results/speed.md: 1.21); four samples of 48 tokens
#: written together beside a pass of 256 (22 to 25 times the processor time per token, one thread).
FACTORS: dict[Work, float] = {
    "pass": 1.0, "reading": 1.1, "recording": 1.2, "planning": 0.5, "training": 5.5,
    "writing": 23.0,
}  # fmt: skip
_REMEMBERED_S = 120.0  # of work: an estimate follows a machine that has become busy


class Pace:
    """Seconds per token of one model in memory, of the latest work of each kind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._noted: dict[Work, float] = {}
        self._measured: dict[Work, deque[tuple[int, float]]] = {}

    def note(self, work: Work, n_tokens: int, seconds: float) -> None:
        """Take note of work that was done."""
        if n_tokens <= 0 or seconds <= 0:
            return
        with self._lock:
            latest = self._measured.setdefault(work, deque())
            latest.append((n_tokens, seconds))
            self._noted[work] = self._clock()
            while len(latest) > 1 and sum(s for _, s in latest) - latest[0][1] > _REMEMBERED_S:
                latest.popleft()

    @contextmanager
    def timed(self, work: Work, n_tokens: int) -> Iterator[None]:
        """Time a block of work, and take note of it unless it fails."""
        start = time.perf_counter()
        yield
        self.note(work, n_tokens, time.perf_counter() - start)

    def measured(self, work: Work) -> float | None:
        """Return the seconds per token that work took; None where none was done yet."""
        with self._lock:
            latest = tuple(self._measured.get(work, ()))
        if not latest:
            return None
        return sum(seconds for _, seconds in latest) / sum(n_tokens for n_tokens, _ in latest)

    def expected(self, work: Work) -> float | None:
        """Return the seconds per token that work will take; None before the model did anything.

        As measured of such work, else of the latest other work by the usual ratio of the two.
        """
        source = self._source(work)
        known = None if source is None else self.measured(source)
        if source is None or known is None:
            return None
        return known if source == work else known * FACTORS[work] / FACTORS[source]

    def age_s(self, work: Work) -> float | None:
        """Return how long ago that was measured from which `expected` tells; None before."""
        source = self._source(work)
        return None if source is None else self._clock() - self._noted[source]

    def _source(self, work: Work) -> Work | None:
        """Return the work from which other work is expected: of its kind, else the latest."""
        with self._lock:
            if work in self._noted:
                return work
            return max(self._noted, key=self._noted.__getitem__, default=None)
