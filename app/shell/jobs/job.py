"""A job as pages see it: what it is, how far it is, what it waits for, and why it failed."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fnprune_core.errors import FnpruneError

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE = ("queued", "running")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Message on why a job failed; `reference` finds the trace in the server's log."""

    message: str
    hint: str = ""
    reference: str = ""


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
        return self.state in ACTIVE
