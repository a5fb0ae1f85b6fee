"""The log of decisions: shown on the page, kept with the plan, and read again with it."""

from contextlib import suppress

import streamlit as st

from app.pruning import checks, decisions
from app.shell import choices, resources, session_state, view_state
from app.widgets import job_progress
from fnprune_core.errors import FnpruneError
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision

#: Where the log of the plan that is being made is remembered.
PENDING = "decisions of the plan that is being made"


def adopt(plan: str) -> None:
    """Adopt the log of the open plan, else of one that is being made since before this visit.

    Where the view holds the same networks, but not how they were chosen.
    """
    if plan:
        with suppress(FnpruneError):  # told where the log is shown
            _adopt(decision_log.read_notes(resources.workspace(), plan).decisions)
    job = job_progress.job_of("prune")
    if job is not None and job.is_active and not session_state.widget(PENDING):
        _adopt(checks.log_of(job))


def _adopt(log: tuple[Decision, ...]) -> None:
    is_linked = all(step.what.endswith(choices.LINK) for step in choices.decisions())
    if log and is_linked and decision_log.outcome(log) == set(view_state.view().dropped):
        choices.take_decisions(log)


def show(plan: str) -> None:
    """Draw the log, newest first."""
    log = choices.decisions()
    with st.expander(f"Log of decisions ({len(log)})", icon=":material/history:", key="lab-log"):
        if log:
            decisions.draw(log, key="lab-log-table")
        else:
            st.caption("Nothing decided yet: all networks are protected.")
        st.caption(
            "Apply keeps the log with the plan, and exports carry it as decisions.json. A link "
            "to this page opens the same set of networks."
        )
        if plan:
            decisions.notes_of(plan, log=log)
