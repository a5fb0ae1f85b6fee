"""Long work in threads: queued per lane, watched by the visits that asked for it, and stopped.

Knows nothing of streamlit. A job's function gets a `report` callable and a `CancelToken`; what it
reports is kept under a lock, and pages copy it as a frozen `Job` whenever they like. Results
belong in the workspace, so that a job hands back ids and a restarted server loses nothing.

A job belongs to the visits that asked for it, its owners: equal requests share one run, and it
stops when its last owner stops it. Whoever else waits learns how many jobs are before, and how
long they take, never what they are.
"""

import hashlib
import json
import logging
import os
import statistics
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.progress import Cancelled, CancelToken, ProgressEvent

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Report = Callable[[object], None]
JobFunction = Callable[[Report, CancelToken], object]

_MAX_FINISHED = 50
_MAX_JOBS_OF_A_VISIT, _MAX_JOBS = 8, 64
_MAX_DURATIONS = 9  # of each kind, from which the next one's is estimated
_LEAST_SHARE = 0.02  # that must be done before it tells how long the rest takes
_NICENESS = 5  # of a job's thread, so that pages answer while a model computes
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Message on why a job failed; `reference` finds the trace in the server's log."""

    message: str
    hint: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """Progress of the present stage, and of all where that is known.

    Parameters
    ----------
    seconds_left : float or None
        Of the stage, or of all of the work where `overall` is known; None until measurable.
    overall : float or None
        Share of the work that is done.
    """

    stage: str
    done: int
    total: int
    unit: str
    rate: float | None
    seconds_left: float | None
    overall: float | None = None

    @property
    def fraction(self) -> float:
        """Share that is done, in [0, 1]: of all work where that is known, else of the stage."""
        if self.overall is not None:
            return min(max(self.overall, 0.0), 1.0)
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Jobs that run before another one can, and how long they take; None where not known."""

    n_before: int = 0
    seconds: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How many jobs may run or wait at once, of one visit and of all.

    ``FNPRUNE_MAX_JOBS_PER_VISIT`` and ``FNPRUNE_MAX_JOBS`` set them.
    """

    of_a_visit: int = _MAX_JOBS_OF_A_VISIT
    of_all: int = _MAX_JOBS

    @classmethod
    def configured(cls, environment: Mapping[str, str]) -> "JobLimits":
        """Return the limits of the environment; raises `SettingsError` for a wrong one."""
        return cls(
            of_a_visit=_limit(environment, "FNPRUNE_MAX_JOBS_PER_VISIT", _MAX_JOBS_OF_A_VISIT),
            of_all=_limit(environment, "FNPRUNE_MAX_JOBS", _MAX_JOBS),
        )


def _limit(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text)):
        raise SettingsError(
            f"{name} is {text!r}, expected a whole number from 1 to 999999.",
            hint=f"Set it, or unset it for {default}.",
        )
    return int(text)


class TooManyJobsError(FnpruneError):
    """A job is refused because too many run or wait already."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """Snapshot of a job; `number` tells its runs apart, `owners` are visits."""

    id: str
    number: int
    kind: str
    title: str
    inputs: Mapping[str, Any]
    state: JobState
    seconds: float
    progress: StageProgress | None
    events: tuple[object, ...]
    result: Any
    failure: Failure | None
    owners: frozenset[str]
    wait: Wait

    @property
    def is_active(self) -> bool:
        """Whether the job is queued or running."""
        return self.state in ("queued", "running")


@dataclass(slots=True, kw_only=True, eq=False)
class _Record:
    """State of a job in the manager; touched under its lock only."""

    id: str
    kind: str
    title: str
    lane: str
    inputs: Mapping[str, Any]
    function: JobFunction | None
    number: int
    owners: set[str] = field(default_factory=set)
    seen_by: set[str] = field(default_factory=set)
    token: CancelToken = field(default_factory=CancelToken)
    state: JobState = "queued"
    started: float | None = None
    finished: float | None = None
    stage: ProgressEvent | None = None
    stage_began: float = 0.0
    stage_first_done: int = 0
    stage_seen: float = 0.0
    events: list[object] = field(default_factory=list)
    result: Any = None
    failure: Failure | None = None

    @property
    def is_active(self) -> bool:
        """Whether the job is queued or running."""
        return self.state in ("queued", "running")


def job_id(kind: str, inputs: Mapping[str, Any]) -> str:
    """Return the id, 12 hex digits, that equal inputs share."""
    text = json.dumps([kind, inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def describe_error(error: Exception) -> Failure:
    """Return the message for a person; log the trace of anything that is not their mistake."""
    if isinstance(error, FnpruneError):
        return Failure(message=error.message, hint=error.hint)
    reference = uuid.uuid4().hex[:8]
    _log.error("unexpected error %s", reference, exc_info=error)
    if isinstance(error, MemoryError):
        message = "There was not enough memory for this."
        return Failure(message=message, hint="Use fewer tokens or networks.", reference=reference)
    return Failure(
        message="Something went wrong inside fnprune.",
        hint=f"The server's log has the details under {reference}.",
        reference=reference,
    )


class JobManager:
    """Runs jobs in threads: first in, first out, and one at a time in each lane.

    Parameters
    ----------
    clock : callable, optional
        Returns seconds; replaced in tests.
    limits : JobLimits, optional
        How many jobs may run or wait at once.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, limits: JobLimits | None = None
    ) -> None:
        self._clock = clock
        self._limits = limits or JobLimits()
        self._durations: dict[str, deque[float]] = {}
        self._running: dict[str, _Record] = {}
        self._changed = threading.Condition()
        self._records: dict[str, _Record] = {}
        self._queues: dict[str, deque[_Record]] = {}
        self._n_submitted = 0

    def submit(
        self,
        kind: str,
        function: JobFunction,
        *,
        inputs: Mapping[str, Any],
        title: str = "",
        lane: str = "model",
        owner: str = "",
    ) -> str:
        """Queue `function` and return the job's id; the same inputs join a job under way.

        Raises `TooManyJobsError` if the owner, or all visits together, have as many jobs as may be.

        Parameters
        ----------
        kind : str
            What is done: "record", "prune", …
        function : callable
            Called as ``function(report, cancel)`` in a thread; what it returns is the result.
        inputs : mapping
            What determines the job, as JSON values; with `kind` it makes the id.
        title : str, optional
            Name of the job for people; `kind` if empty.
        lane : str, optional
            Jobs of one lane never overlap: heavy work on one model shares a lane.
        owner : str, optional
            The visit that asks; it becomes an owner of a job under way, too.
        """
        identity = job_id(kind, inputs)
        with self._changed:
            existing = self._records.get(identity)
            if existing is not None and existing.is_active and not existing.token.is_cancelled:
                existing.owners.add(owner)
                return identity
            self._check_limits(owner)
            if existing is not None and existing.is_active:
                # It is stopping: what was asked for now must run after it, under the same id.
                self._records[f"{identity}-{existing.number}"] = existing
            self._n_submitted += 1
            record = _Record(
                id=identity,
                kind=kind,
                title=title or kind,
                lane=lane,
                inputs=dict(inputs),
                function=function,
                number=self._n_submitted,
                owners={owner},
            )
            self._records.pop(identity, None)
            self._records[identity] = record
            self._forget_old()
            if lane in self._queues:
                self._queues[lane].append(record)
            else:
                self._queues[lane] = deque([record])
                name = f"fnprune-{lane}"
                threading.Thread(target=self._work, args=(lane,), name=name, daemon=True).start()
            self._changed.notify_all()
        return identity

    def job(self, identity: str | None) -> Job | None:
        """Return the job as it stands, or None if this server does not know it."""
        with self._changed:
            record = self._records.get(identity or "")
            return None if record is None else self._snapshot(record)

    def jobs(self, kind: str | None = None) -> list[Job]:
        """Return all jobs (of a kind), newest first."""
        with self._changed:
            records = [r for r in self._records.values() if kind in (None, r.kind)]
            return [self._snapshot(record) for record in reversed(records)]

    def active(self, kind: str | None = None) -> list[Job]:
        """Return the jobs that are queued or running, newest first."""
        return [job for job in self.jobs(kind) if job.is_active]

    def owned(self, owner: str, *kinds: str) -> list[Job]:
        """Return a visit's jobs (of some kinds), newest first."""
        with self._changed:
            return [self._snapshot(record) for record in self._owned(owner, kinds)]

    def _owned(self, owner: str, kinds: tuple[str, ...]) -> list[_Record]:
        return [
            record
            for record in reversed(self._records.values())
            if owner in record.owners and (not kinds or record.kind in kinds)
        ]

    def waiting_for(self, owner: str, *kinds: str) -> Job | None:
        """Return the newest job (of some kinds) that a visit must still be led to, or None.

        One that runs or waits, else one that ended while no page of the visit looked.
        """
        with self._changed:
            records = self._owned(owner, kinds)
            waiting = [record for record in records if record.is_active] or [
                record for record in records if owner not in self._seen_by(record)
            ]
            return self._snapshot(waiting[0]) if waiting else None

    def _seen_by(self, record: _Record) -> set[str]:
        """Return who has seen a job, or the newer run under its id that took its place."""
        newest = self._records.get(record.id)
        return record.owners if newest is None else newest.seen_by

    def see(self, identity: str, owner: str) -> None:
        """Note that a page of the visit has shown how a job ended."""
        with self._changed:
            record = self._records.get(identity)
            if record is not None:
                record.seen_by.add(owner)

    def wait_for_lane(self, lane: str = "model") -> Wait:
        """Return what a job that was submitted now would wait for."""
        with self._changed:
            return self._wait(lane, len(self._queues.get(lane, ())))

    def leave(self, identity: str, owner: str) -> bool:
        """Stop a job for one of its owners; return whether it stops, for it was the last one.

        Nothing happens for a visit that does not own it.
        """
        with self._changed:
            record = self._records.get(identity)
            if record is None or owner not in record.owners:
                return False
            if record.owners - {owner} and record.is_active:
                record.owners.discard(owner)
                self._changed.notify_all()
                return False
            self._cancel(record)
            return True

    def _cancel(self, record: _Record) -> None:
        """Ask a job to stop; one that is still queued is cancelled at once."""
        record.token.cancel()
        if record.state == "queued":
            self._queues[record.lane].remove(record)
            self._finish(record, "cancelled")

    def wait(self, identity: str, *, timeout: float | None = None) -> Job | None:
        """Wait until a job has ended (or the time is up) and return it; not for pages."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_active(identity), timeout=timeout)
        return self.job(identity)

    def _check_limits(self, owner: str) -> None:
        """Raise `TooManyJobsError` if one more job is one too many."""
        active = [r for r in self._records.values() if r.is_active]
        n_own = sum(owner in record.owners for record in active)
        if n_own >= self._limits.of_a_visit:
            raise TooManyJobsError(
                f"{n_own} of your jobs run or wait already, as many as one visit may have.",
                hint="Stop one, or wait until one has ended. `FNPRUNE_MAX_JOBS_PER_VISIT` sets "
                "the limit.",
            )
        if len(active) >= self._limits.of_all:
            raise TooManyJobsError(
                f"{len(active)} jobs run or wait on this server already, which is as many as it "
                "takes.",
                hint="Try again once some have ended. `FNPRUNE_MAX_JOBS` sets the limit.",
            )

    def _is_active(self, identity: str) -> bool:
        record = self._records.get(identity)
        return record is not None and record.is_active

    def _work(self, lane: str) -> None:
        """Run the jobs of a lane until none is left, then end the thread."""
        _give_way()
        while True:
            with self._changed:
                queue = self._queues[lane]
                if not queue:
                    del self._queues[lane]
                    return
                record = queue.popleft()
                record.state, record.started = "running", self._clock()
                self._running[lane] = record
                self._changed.notify_all()
            self._run(record)

    def _run(self, record: _Record) -> None:
        def report(event: object) -> None:
            self._report(record, event)

        try:
            record.token.raise_if_cancelled()
            function, record.function = record.function, None  # what it holds goes with it
            result = None if function is None else function(report, record.token)
        except Cancelled:
            self._end(record, "cancelled")
        except Exception as error:  # noqa: BLE001 - a job must end in a state that a page can show
            self._end(record, "failed", failure=describe_error(error))
        else:
            self._end(record, "done", result=result)

    def _end(
        self,
        record: _Record,
        state: JobState,
        *,
        result: object = None,
        failure: Failure | None = None,
    ) -> None:
        with self._changed:
            record.result, record.failure = result, failure
            self._finish(record, state)

    def _finish(self, record: _Record, state: JobState) -> None:
        record.state, record.finished = state, self._clock()
        record.function = None
        if self._running.get(record.lane) is record:
            del self._running[record.lane]
        if state == "done" and record.started is not None:
            durations = self._durations.setdefault(record.kind, deque(maxlen=_MAX_DURATIONS))
            durations.append(record.finished - record.started)
        self._changed.notify_all()

    def _report(self, record: _Record, event: object) -> None:
        with self._changed:
            now = self._clock()
            if not isinstance(event, ProgressEvent):
                record.events.append(event)
            else:
                if record.stage is None or record.stage.stage != event.stage:
                    record.stage_began, record.stage_first_done = now, event.done
                record.stage, record.stage_seen = event, now
            self._changed.notify_all()

    def _snapshot(self, record: _Record) -> Job:
        end = self._clock() if record.finished is None else record.finished
        queue = self._queues.get(record.lane, deque())
        return Job(
            id=record.id,
            number=record.number,
            kind=record.kind,
            title=record.title,
            inputs=record.inputs,
            state=record.state,
            seconds=0.0 if record.started is None else end - record.started,
            progress=_stage_progress(record),
            events=tuple(record.events),
            result=record.result,
            failure=record.failure,
            owners=frozenset(record.owners),
            wait=self._wait(record.lane, queue.index(record)) if record in queue else Wait(),
        )

    def _wait(self, lane: str, n_queued: int) -> Wait:
        """Return what stands before the place after `n_queued` jobs of a lane's queue."""
        queued = list(self._queues.get(lane, ()))[:n_queued]
        running = self._running.get(lane)
        seconds = [self._usual_seconds(record.kind) for record in queued]
        if running is not None:
            seconds.append(self._seconds_left(running))
        known = [s for s in seconds if s is not None]
        return Wait(
            n_before=len(seconds), seconds=sum(known) if len(known) == len(seconds) else None
        )

    def _usual_seconds(self, kind: str) -> float | None:
        """Return how long jobs of a kind took, the median of the last ones."""
        durations = self._durations.get(kind)
        return statistics.median(durations) if durations else None

    def _seconds_left(self, record: _Record) -> float | None:
        """Return how long a running job still takes: what its kind does, or its present stage."""
        usual, stage = self._usual_seconds(record.kind), _stage_progress(record)
        of_stage = None if stage is None else stage.seconds_left
        if usual is None or record.started is None:
            return of_stage
        return max(usual - (self._clock() - record.started), of_stage or 0.0)

    def _forget_old(self) -> None:
        finished = [key for key, r in self._records.items() if r.state not in ("queued", "running")]
        for key in finished[: max(0, len(finished) - _MAX_FINISHED)]:
            del self._records[key]


def _give_way() -> None:
    """Let the thread, and those that it starts, stand behind those that draw pages."""
    if sys.platform == "linux":  # elsewhere niceness is the process's
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _stage_progress(record: _Record) -> StageProgress | None:
    event = record.stage
    if event is None:
        return None
    seconds = record.stage_seen - record.stage_began
    n_done = event.done - record.stage_first_done
    rate = n_done / seconds if seconds > 0 and n_done > 0 else None
    seconds_left = None if rate is None else max(event.total - event.done, 0) / rate
    if event.overall is not None:
        seconds_left = event.seconds_left if event.overall > _LEAST_SHARE else None
    return StageProgress(
        stage=event.stage,
        done=event.done,
        total=event.total,
        unit=event.unit,
        rate=rate,
        seconds_left=seconds_left,
        overall=event.overall,
    )
