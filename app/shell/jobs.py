"""Long work in threads: queued per lane, watched from any page or browser, stopped on request.

Knows nothing of streamlit. A job's function gets a `report` callable and a `CancelToken`; what it
reports is kept under a lock, and pages copy it as a frozen `Job` whenever they like. Results
belong in the workspace, so that a job hands back ids and a restarted server loses nothing.
"""

import hashlib
import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fnprune_core.errors import FnpruneError
from fnprune_core.progress import Cancelled, CancelToken, ProgressEvent

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Report = Callable[[object], None]
JobFunction = Callable[[Report, CancelToken], object]

_MAX_FINISHED = 50
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Message on why a job failed; `reference` finds the trace in the server's log."""

    message: str
    hint: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """Progress of the present stage; `seconds_left` is for it alone, None until measurable."""

    stage: str
    done: int
    total: int
    unit: str
    rate: float | None
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, in [0, 1]."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """Snapshot of a job; `number` tells its runs apart."""

    id: str
    number: int
    kind: str
    title: str
    inputs: Mapping[str, Any]
    state: JobState
    queue_position: int
    seconds: float
    progress: StageProgress | None
    events: tuple[object, ...]
    result: Any
    failure: Failure | None

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
    function: JobFunction
    number: int
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
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
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
    ) -> str:
        """Queue `function` and return the job's id; the same inputs join a job under way.

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
        """
        identity = job_id(kind, inputs)
        with self._changed:
            existing = self._records.get(identity)
            if existing is not None and existing.state in ("queued", "running"):
                if not existing.token.is_cancelled:
                    return identity
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

    def cancel(self, identity: str) -> None:
        """Ask a job to stop; one that is still queued is cancelled at once."""
        with self._changed:
            record = self._records.get(identity)
            if record is None:
                return
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
        return record is not None and record.state in ("queued", "running")

    def _work(self, lane: str) -> None:
        """Run the jobs of a lane until none is left, then end the thread."""
        while True:
            with self._changed:
                queue = self._queues[lane]
                if not queue:
                    del self._queues[lane]
                    return
                record = queue.popleft()
                record.state, record.started = "running", self._clock()
                self._changed.notify_all()
            self._run(record)

    def _run(self, record: _Record) -> None:
        def report(event: object) -> None:
            self._report(record, event)

        try:
            record.token.raise_if_cancelled()
            result = record.function(report, record.token)
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
            queue_position=queue.index(record) + 1 if record in queue else 0,
            seconds=0.0 if record.started is None else end - record.started,
            progress=_stage_progress(record),
            events=tuple(record.events),
            result=record.result,
            failure=record.failure,
        )

    def _forget_old(self) -> None:
        finished = [key for key, r in self._records.items() if r.state not in ("queued", "running")]
        for key in finished[: max(0, len(finished) - _MAX_FINISHED)]:
            del self._records[key]


def _stage_progress(record: _Record) -> StageProgress | None:
    event = record.stage
    if event is None:
        return None
    seconds = record.stage_seen - record.stage_began
    n_done = event.done - record.stage_first_done
    rate = n_done / seconds if seconds > 0 and n_done > 0 else None
    return StageProgress(
        stage=event.stage,
        done=event.done,
        total=event.total,
        unit=event.unit,
        rate=rate,
        seconds_left=None if rate is None else max(event.total - event.done, 0) / rate,
    )
