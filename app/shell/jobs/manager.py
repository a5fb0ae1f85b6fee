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
import os
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from app.shell.jobs.job import Job, JobState, Wait, describe_error
from app.shell.jobs.limits import JobLimits
from app.shell.jobs.record import JobFunction, Record
from fnprune_core.progress import Cancelled

_MAX_FINISHED = 50
_MAX_DURATIONS = 9  # of each kind, from which the next one's is estimated
_NICENESS = 5  # of a job's thread, so that pages answer while a model computes


def job_id(kind: str, inputs: Mapping[str, Any]) -> str:
    """Return the id, 12 hex digits, that equal inputs share."""
    text = json.dumps([kind, inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
        self._running: dict[str, Record] = {}
        self._changed = threading.Condition()
        self._records: dict[str, Record] = {}
        self._queues: dict[str, deque[Record]] = {}
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
            active = [each for each in self._records.values() if each.is_active]
            self._limits.check(sum(owner in each.owners for each in active), len(active))
            if existing is not None and existing.is_active:
                # It is stopping: what was asked for now must run after it, under the same id.
                self._records[f"{identity}-{existing.number}"] = existing
            self._n_submitted += 1
            record = Record(
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

    def _owned(self, owner: str, kinds: tuple[str, ...]) -> list[Record]:
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

    def _seen_by(self, record: Record) -> set[str]:
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

    def _cancel(self, record: Record) -> None:
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

    def _run(self, record: Record) -> None:
        def report(event: object) -> None:
            with self._changed:
                record.note(event, now=self._clock())
                self._changed.notify_all()

        state: JobState = "done"
        try:
            record.token.raise_if_cancelled()
            function, record.function = record.function, None  # what it holds goes with it
            record.result = None if function is None else function(report, record.token)
        except Cancelled:
            state = "cancelled"
        except Exception as error:  # noqa: BLE001 - a job must end in a state that a page can show
            state, record.failure = "failed", describe_error(error)
        with self._changed:
            self._finish(record, state)

    def _finish(self, record: Record, state: JobState) -> None:
        record.state, record.finished = state, self._clock()
        record.function = None
        if self._running.get(record.lane) is record:
            del self._running[record.lane]
        if state == "done" and record.started is not None:
            durations = self._durations.setdefault(record.kind, deque(maxlen=_MAX_DURATIONS))
            durations.append(record.finished - record.started)
        self._changed.notify_all()

    def _snapshot(self, record: Record) -> Job:
        queue = self._queues.get(record.lane, deque())
        wait = self._wait(record.lane, queue.index(record)) if record in queue else Wait()
        return record.snapshot(now=self._clock(), wait=wait)

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

    def _seconds_left(self, record: Record) -> float | None:
        """Return how long a running job still takes: what its kind does, or its present stage."""
        usual, stage = self._usual_seconds(record.kind), record.progress
        of_stage = None if stage is None else stage.seconds_left
        if usual is None or record.started is None:
            return of_stage
        return max(usual - (self._clock() - record.started), of_stage or 0.0)

    def _forget_old(self) -> None:
        finished = [key for key, r in self._records.items() if not r.is_active]
        for key in finished[: max(0, len(finished) - _MAX_FINISHED)]:
            del self._records[key]


def _give_way() -> None:
    """Let the thread, and those that it starts, stand behind those that draw pages."""
    if sys.platform == "linux":  # elsewhere niceness is the process's
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
