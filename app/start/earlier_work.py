"""The list of earlier work: every artifact of the workspace, to be opened or deleted."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.shell import navigation, resources, view_state, wording
from app.shell.artifact_words import describe
from app.start import deletion
from app.widgets import frame
from app.widgets.controls import table
from fnprune_core.storage.workspace import Entry

_OPEN, _DELETE = "open-entry", "delete-entry"


def earlier_work(entries: Sequence[Entry]) -> None:
    """Draw the workspace's artifacts, given newest first: those that can be opened first."""
    if not entries:
        return
    workspace = resources.workspace()
    # What can be opened stands before what belongs to it.
    entries = sorted(entries, key=lambda entry: not _can_open(entry))
    st.subheader("Earlier work", anchor=False)
    rows = pd.DataFrame(
        {
            "open": [":material/open_in_new: Open" if _can_open(e) else None for e in entries],
            "what": [f"{e.kind[:-1].capitalize()}: {describe(e)}" for e in entries],
            "made": pd.to_datetime(
                [entry.created for entry in entries], format="ISO8601", errors="coerce", utc=True
            ),
            "size": [wording.size(entry.size_bytes) for entry in entries],
            "delete": [":material/delete: Delete"] * len(entries),
        }
    )
    column = st.column_config
    button = column.ButtonColumn
    table(
        rows,
        alt="Artifacts in the workspace, newest first",
        height="auto" if len(entries) <= 8 else 330,
        key="earlier-work",
        columns={
            "open": button("", key=_OPEN, on_click=_open, args=(entries,), width=90),
            "what": column.TextColumn("", width="large"),
            "made": column.DatetimeColumn("made", format="distance", width="small"),
            "size": column.TextColumn("size", width="small"),
            "delete": button(
                "", key=_DELETE, on_click=deletion.ask, args=(_DELETE, entries), width=100
            ),
        },
    )
    place = wording.plain(str(workspace.root))
    st.caption(f"{wording.size(workspace.size_bytes())} in {place}")
    pending: Entry | None = deletion.asked(_DELETE)
    if pending is not None:
        deletion.confirm(pending.kind, pending.id, _facts(pending))


def _can_open(entry: Entry) -> bool:
    return entry.kind in ("recordings", "decompositions", "plans")


def _open(entries: Sequence[Entry]) -> None:
    entry = deletion.clicked(_OPEN, entries)
    if entry is None:
        return
    inputs = entry.manifest.get("inputs", {})
    recording = _recording_of(entry)
    if resources.workspace().has("recordings", recording):
        source = resources.manifest("recordings", recording).get("model_source", "embedded")
        view_state.change(model=source)
    if entry.kind == "recordings":
        navigation.open_recording(entry.id)
        st.switch_page(frame.RECORD)
    elif entry.kind == "decompositions":
        navigation.open_atlas(entry.id, recording=entry.manifest["recording_id"])
        st.switch_page(frame.ATLAS)
    elif entry.kind == "plans":
        atlas, recording = inputs.get("decomposition_id", ""), inputs.get("recording_id", "")
        navigation.open_atlas(atlas or view_state.view().atlas, recording=recording)
        view_state.change(plan=entry.id)
        st.switch_page(frame.PRUNE)


def _recording_of(entry: Entry) -> str:
    """Return the recording that an artifact was made from, itself if it is one."""
    if entry.kind == "recordings":
        return entry.id
    facts = {**entry.manifest.get("inputs", {}), **entry.manifest}
    return str(facts.get("recording_id", "none"))


def _facts(entry: Entry) -> list[str]:
    """Return what is said of an artifact before it is deleted."""
    facts = [f"{entry.kind[:-1].capitalize()}: {wording.plain(describe(entry))}"]
    if entry.kind == "recordings":
        facts.append("Decompositions made from it cannot be opened without it.")
    if entry.kind == "decompositions":
        facts.append("Names and notes of its networks stay, and are there again if it is.")
    return facts
