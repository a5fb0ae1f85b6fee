"""The log of decisions: shown on the page, kept with the plan, and read again with it."""

import pandas as pd
import streamlit as st

from app.shell import resources, view_state
from app.shell.jobs import Failure
from app.widgets import frame
from fnprune_core.errors import CorruptArtifactError, FnpruneError
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision

_MOST_NAMED = 12


def adopt(plan: str) -> None:
    """Adopt a plan's log where the view holds the same networks but not how they were chosen."""
    present_log = view_state.decisions()
    if not plan or not all(decision.what.endswith(view_state.LINK) for decision in present_log):
        return
    try:
        stored_log = decision_log.read_notes(resources.workspace(), plan).decisions
    except FnpruneError:  # told where the log is shown
        return
    if stored_log and decision_log.outcome(stored_log) == set(view_state.view().dropped):
        view_state.take_decisions(stored_log)


def show(plan: str) -> None:
    """Draw the log, newest first."""
    log = view_state.decisions()
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
            st.caption("Nothing decided yet: all networks are protected.")
        st.caption(
            "Apply keeps the log with the plan, and exports carry it as decisions.json. A link "
            "to this page opens the same set of networks."
        )
        if plan:
            _show_damage(plan)


def table(log: tuple[Decision, ...]) -> pd.DataFrame:
    """Return the log as a table, newest first."""
    return pd.DataFrame(
        {
            "time": pd.to_datetime(
                [decision.time for decision in log[::-1]],
                errors="coerce",
                utc=True,
                format="ISO8601",
            ),
            "decision": [decision.what for decision in log[::-1]],
            "not protected": [_networks_text(decision.pruned) for decision in log[::-1]],
            "protected": [_networks_text(decision.kept) for decision in log[::-1]],
            "about": [_networks_text(decision.noted) for decision in log[::-1]],
            "reason": [decision.reason for decision in log[::-1]],
        }
    )


def _networks_text(networks: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, networks[:_MOST_NAMED]))
    n_more = len(networks) - _MOST_NAMED
    return f"{listed} and {n_more} more" if n_more > 0 else listed


def _show_damage(plan: str) -> None:
    """Draw the error of notes that cannot be read, and offer to set them aside."""
    try:
        decision_log.read_notes(resources.workspace(), plan)
    except CorruptArtifactError as error:
        frame.error(Failure(message=error.message, hint=error.hint))
        if st.button(
            "Set the damaged notes aside", icon=":material/drive_file_move:", key="notes-set-aside"
        ):
            with frame.explaining():
                path = decision_log.set_aside(resources.workspace(), plan)
                decision_log.add_decisions(resources.workspace(), plan, view_state.decisions())
                view_state.notify(f"The damaged notes are kept as {path.name}")
                st.rerun()
