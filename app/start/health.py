"""What of the workspace is damaged, and the button that reads every byte of it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.shell import session_state
from app.shell.jobs.job import Job
from app.shell.wording import plain, size
from app.start import deletion
from app.start.start_tasks import verify
from app.widgets import job_progress
from app.widgets.controls import table
from fnprune_core.storage.workspace import Damaged, Verified

_DELETE = "delete-damaged"
_BUTTON = ":material/delete: Delete"


def damaged_work(damaged: Sequence[Damaged]) -> None:
    """Draw the artifacts that cannot be read, with what is wrong and what can be done."""
    if not damaged:
        return
    st.subheader("Damaged", anchor=False)
    st.caption(
        "Everything else works. A backup of the folder brings an item back; deleting makes room."
    )
    button = st.column_config.ButtonColumn
    table(
        pd.DataFrame(
            {
                "what": [item.title for item in damaged],
                "wrong": [item.reason for item in damaged],
                "to do": [item.hint for item in damaged],
                "size": [size(item.size_bytes) for item in damaged],
                "delete": [_BUTTON if item.id else None for item in damaged],
            }
        ),
        alt="Damaged artifacts of the workspace",
        key="damaged-work",
        columns={
            "what": st.column_config.TextColumn("", width="small"),
            "wrong": st.column_config.TextColumn("what is wrong", width="large"),
            "to do": st.column_config.TextColumn("what to do", width="medium"),
            "delete": button(
                "", key=_DELETE, on_click=deletion.ask, args=(_DELETE, damaged), width=100
            ),
        },
    )
    pending: Damaged | None = deletion.asked(_DELETE)
    if pending is not None:
        what = f"{plain(pending.title)}, {size(pending.size_bytes)}"
        deletion.confirm(pending.kind, pending.id, [what, plain(pending.reason)])


def verification() -> None:
    """Draw the button that reads every byte of the workspace, and what that found."""
    job = job_progress.offer(
        "verify", "Verify", "verified", verify, done=_announce, key="verify",
        help="Reads every byte of the workspace, and compares it with the checksums that were "
        "written with it.",
    )  # fmt: skip
    if job is not None and job.state == "done":
        _show(job.result)


def _announce(job: Job) -> None:
    n_damaged = sum(item.standing == "damaged" for item in job.result)
    session_state.notify(f"{n_damaged} damaged" if n_damaged else "Nothing is damaged")


def _show(items: Sequence[Verified]) -> None:
    def count(standing: str) -> int:
        return sum(item.standing == standing for item in items)

    n_bytes = sum(item.size_bytes for item in items)
    if count("damaged"):
        lines = [
            f"- {plain(item.title)}: {plain(' '.join(item.problems))}"
            for item in items
            if item.problems
        ]
        st.error("\n".join([f"{count('damaged')} of {len(items)} items are damaged.", *lines]))
    else:
        st.success(
            f"{count('sound')} of {len(items)} items are what was written ({size(n_bytes)} read).",
            icon=":material/verified:",
        )
