"""The log of decisions: shown on the page, kept with the plan, and read again with it."""

import streamlit as st

from app.pruning import decisions
from app.shell import resources, view_state
from fnprune_core.errors import FnpruneError
from fnprune_core.plans import decision_log


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
            decisions.draw(log, key="lab-log-table")
        else:
            st.caption("Nothing decided yet: all networks are protected.")
        st.caption(
            "Apply keeps the log with the plan, and exports carry it as decisions.json. A link "
            "to this page opens the same set of networks."
        )
        if plan:
            decisions.notes_of(plan, log=log)
