"""Checks of the prune lab before a job starts, and the log that a job keeps with its plan. Pure."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.pruning.prune_tasks import PLAN, Planned
from app.shell.jobs.job import Job
from app.shell.jobs.tasks import Run, Task
from fnprune_core.errors import FnpruneError
from fnprune_core.export.size import held_units
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans import decision_log
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.decision_log import Decision
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.storage.workspace import Workspace

MOST_PERCENT = 90  # of units, or of attention, that the form lets go


def refusal(
    settings: PlanSettings, layout: UnitLayout, *, has_dummy_tokens: bool
) -> FnpruneError | None:
    """Return why no plan with these settings is possible, or None: without model or scores.

    Which units serve sinks is not known here, only how many: pins are taken to be among them, so
    that what is refused is impossible, while a handful of units may still be refused by the job.
    """
    full_settings = canonical_settings(settings)
    if not has_dummy_tokens:
        full_settings = full_settings.with_(sink_units=0)
    try:
        must_stay, _ = held_units(layout, full_settings)
        choose_units(np.zeros(layout.n_units), full_settings, layout=layout, sinks=must_stay)
    except FnpruneError as error:
        return error
    return None


def is_asked_by(
    plan: PruningPlan, settings: PlanSettings | None, *, recording: str, n_networks: int
) -> bool:
    """Whether a plan is the one that settings ask for on this recording."""
    if settings is None or plan.recording_id != recording:
        return False
    return canonical_settings(settings, n_networks=n_networks) == plan.settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The log of decisions with which a plan was asked for."""

    decisions: tuple[Decision, ...]


def log_of(job: Job) -> tuple[Decision, ...]:
    """Return the log with which a job was asked for; empty where it has none yet."""
    logs = [event.decisions for event in job.events if isinstance(event, Decided)]
    return logs[-1] if logs else ()


def with_log(task: Task, workspace: Workspace, decisions: Sequence[Decision]) -> Task:
    """Return a task that keeps a log of decisions with its plan as soon as the plan is made.

    The log is told at once, too: a page that is opened meanwhile finds it.
    """

    def run_with_log(run: Run) -> Any:
        def report_and_log(event: Any) -> None:
            plan = event.plan_ids.get(PLAN) if isinstance(event, Planned) else None
            if plan:
                # Damaged notes must not cost a measurement; the page tells of them and mends.
                with suppress(FnpruneError):
                    decision_log.add_decisions(workspace, plan, decisions)
            run.report(event)

        run.report(Decided(decisions=tuple(decisions)))
        return task.function(replace(run, report=report_and_log))

    return replace(task, function=run_with_log)
