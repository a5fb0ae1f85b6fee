"""The log of decisions: shown on the page, kept with the plan, and read again with it."""

import pandas as pd
import streamlit as st

from app import components, resources, state
from app.jobs import Failure
from fnprune_core import plan_notes
from fnprune_core.errors import CorruptArtifactError, FnpruneError
from fnprune_core.plan_notes import Decision

_MOST_NAMED = 12


def adopt(plan: str) -> None:
    """Take a plan's log where the view holds the same networks but not how they were chosen."""
    own = state.decisions()
    if not plan or any(each.what != state.LINK for each in own):
        return
    try:
        kept = plan_notes.read_notes(resources.workspace(), plan).decisions
    except FnpruneError:  # told where the log is shown
        return
    if kept and plan_notes.outcome(kept) == set(state.view().dropped):
        state.take_decisions(kept)


def show(plan: str) -> None:
    """Draw the log, newest first."""
    log = state.decisions()
    with st.expander(f"Log of decisions ({len(log)})", icon=":material/history:", key="lab-log"):
        if log:
            st.dataframe(
                table(log),
                hide_index=True,
                key="lab-log-table",
                alt=f"{len(log)} decisions, newest first",
                column_config={
                    "time": st.column_config.DatetimeColumn(format="MMM D, HH:mm:ss"),
                    "decision": st.column_config.TextColumn(width="medium"),
                    "reason": st.column_config.TextColumn(width="large"),
                },
            )
        else:
            st.caption("Nothing decided yet: all networks are preserved.")
        st.caption(
            "Apply keeps the log with the plan, and exports carry it as decisions.json. A link "
            "to this page opens the same set of networks."
        )
        if plan:
            _tell_damage(plan)


def table(log: tuple[Decision, ...]) -> pd.DataFrame:
    """Return the log as a table, newest first."""
    return pd.DataFrame(
        {
            "time": pd.to_datetime(
                [each.time for each in log[::-1]], errors="coerce", utc=True, format="ISO8601"
            ),
            "decision": [each.what for each in log[::-1]],
            "pruned": [_named(each.pruned) for each in log[::-1]],
            "kept": [_named(each.kept) for each in log[::-1]],
            "about": [_named(each.noted) for each in log[::-1]],
            "reason": [each.reason for each in log[::-1]],
        }
    )


def _named(networks: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, networks[:_MOST_NAMED]))
    rest = len(networks) - _MOST_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _tell_damage(plan: str) -> None:
    """Say that a plan's notes cannot be read, and offer to set them aside."""
    try:
        plan_notes.read_notes(resources.workspace(), plan)
    except CorruptArtifactError as caught:
        components.error(Failure(message=caught.message, hint=caught.hint))
        if st.button("Set them aside", icon=":material/drive_file_move:", key="notes-set-aside"):
            with components.explaining():
                aside = plan_notes.set_aside(resources.workspace(), plan)
                plan_notes.add_decisions(resources.workspace(), plan, state.decisions())
                state.notify(f"The damaged notes are kept as {aside.name}")
                st.rerun()
