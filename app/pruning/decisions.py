"""The log of decisions that led to a plan: drawn, and mended where its file is damaged."""

import pandas as pd
import streamlit as st

from app.shell import resources, session_state
from app.shell.jobs.job import describe_error
from app.widgets import controls, frame
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision, PlanNotes

_MOST_NAMED = 12


def draw(log: tuple[Decision, ...], *, key: str | None = None) -> None:
    """Draw a log of decisions, newest first."""
    controls.table(
        table(log),
        key=key,
        alt=f"{len(log)} decisions, newest first",
        columns={
            "time": st.column_config.DatetimeColumn(format="MMM D, HH:mm:ss"),
            "decision": st.column_config.TextColumn(width="medium"),
            "reason": st.column_config.TextColumn(width="large"),
        },
    )


def table(log: tuple[Decision, ...]) -> pd.DataFrame:
    """Return the log as a table, newest first."""
    frame = pd.DataFrame(
        {
            "time": step.time,
            "decision": step.what,
            "not protected": _networks_text(step.pruned),
            "protected": _networks_text(step.kept),
            "about": _networks_text(step.noted),
            "reason": step.reason,
        }
        for step in log[::-1]
    )
    return frame.assign(
        time=pd.to_datetime(frame["time"], errors="coerce", utc=True, format="ISO8601")
    )


def _networks_text(networks: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, networks[:_MOST_NAMED]))
    n_more = len(networks) - _MOST_NAMED
    return f"{listed} and {n_more} more" if n_more > 0 else listed


def notes_of(plan_id: str, *, log: tuple[Decision, ...] = ()) -> PlanNotes | None:
    """Return a plan's notes; where they are damaged, say so and offer to set them aside.

    Parameters
    ----------
    log : tuple of Decision
        What is kept with the plan in their place.
    """
    workspace = resources.workspace()
    try:
        return decision_log.read_notes(workspace, plan_id)
    except CorruptArtifactError as error:
        frame.error(describe_error(error))
        if controls.button(
            "Set the damaged notes aside", "drive_file_move", key=f"aside-{plan_id}"
        ):
            with frame.explaining():
                path = decision_log.set_aside(workspace, plan_id)
                decision_log.add_decisions(workspace, plan_id, log)
                session_state.notify(f"The damaged notes are kept as {path.name}")
                st.rerun()
        return None
