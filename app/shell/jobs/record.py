"""The manager's record of a job: all that changes while it waits and runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.shell.jobs.job import ACTIVE, Failure, Job, JobState, StageProgress, Wait
from fnprune_core.progress import CancelToken, ProgressEvent

Report = Callable[[object], None]
JobFunction = Callable[[Report, CancelToken], object]
_LEAST_SHARE = 0.02  # that must be done before it tells how long the rest takes


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
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
        return self.state in ACTIVE

    def note(self, event: object, *, now: float) -> None:
        """Keep what a job reported: its progress, or an event for pages."""
        if not isinstance(event, ProgressEvent):
            self.events.append(event)
            return
        if self.stage is None or self.stage.stage != event.stage:
            self.stage_began, self.stage_first_done = now, event.done
        self.stage, self.stage_seen = event, now

    @property
    def progress(self) -> StageProgress | None:
        """Progress of the present stage; None before the first report."""
        event = self.stage
        if event is None:
            return None
        seconds = self.stage_seen - self.stage_began
        n_done = event.done - self.stage_first_done
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

    def snapshot(self, *, now: float, wait: Wait) -> Job:
        """Return the job as it stands."""
        end = now if self.finished is None else self.finished
        return Job(
            id=self.id,
            number=self.number,
            kind=self.kind,
            title=self.title,
            inputs=self.inputs,
            state=self.state,
            seconds=0.0 if self.started is None else end - self.started,
            progress=self.progress,
            events=tuple(self.events),
            result=self.result,
            failure=self.failure,
            owners=frozenset(self.owners),
            wait=wait,
        )
