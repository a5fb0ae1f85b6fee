"""The list of earlier work: every artifact of the workspace, to be opened or deleted."""

import pandas as pd
import streamlit as st

from app.shell import resources, view_state, wording
from app.shell.artifact_words import describe
from app.widgets import frame
from fnprune_core.storage.workspace import Entry

_OPEN, _DELETE = "open-entry", "delete-entry"
_PENDING = "entry to be deleted"


def earlier_work() -> None:
    """Draw the workspace's artifacts: those that can be opened first, newest first."""
    workspace = resources.workspace()
    # What can be opened stands before what belongs to it.
    entries = sorted(workspace.entries(), key=lambda entry: not _can_open(entry))
    if not entries:
        return
    st.subheader("Earlier work", anchor=False)
    rows = pd.DataFrame(
        {
            "open": [":material/open_in_new: Open" if _can_open(e) else None for e in entries],
            "what": [f"{e.kind[:-1].capitalize()}: {describe(e)}" for e in entries],
            "made": pd.to_datetime([entry.created for entry in entries]),
            "size": [wording.size(entry.size_bytes) for entry in entries],
            "delete": [":material/delete: Delete"] * len(entries),
        }
    )
    column = st.column_config
    button = column.ButtonColumn
    st.dataframe(
        rows,
        hide_index=True,
        alt="Artifacts in the workspace, newest first",
        height="auto" if len(entries) <= 8 else 330,
        key="earlier-work",
        column_config={
            "open": button("", key=_OPEN, on_click=_open, args=(entries,), width=90),
            "what": column.TextColumn("", width="large"),
            "made": column.DatetimeColumn("made", format="distance", width="small"),
            "size": column.TextColumn("size", width="small"),
            "delete": button("", key=_DELETE, on_click=_ask_to_delete, args=(entries,), width=100),
        },
    )
    place = wording.plain(str(workspace.root))
    st.caption(f"{wording.size(workspace.size_bytes())} in {place}")
    pending: Entry | None = view_state.recall(_PENDING)
    if pending is not None:
        _confirm(pending)


def _can_open(entry: Entry) -> bool:
    return entry.kind in ("recordings", "decompositions", "plans")


def _clicked_entry(key: str, entries: list[Entry]) -> Entry | None:
    click = view_state.widget(key)
    return None if click is None or click.row >= len(entries) else entries[click.row]


def _open(entries: list[Entry]) -> None:
    entry = _clicked_entry(_OPEN, entries)
    if entry is None:
        return
    inputs = entry.manifest.get("inputs", {})
    recording = _recording_of(entry)
    if resources.workspace().has("recordings", recording):
        source = resources.manifest("recordings", recording).get("model_source", "embedded")
        view_state.change(model=source)
    if entry.kind == "recordings":
        view_state.open_recording(entry.id)
        st.switch_page(frame.RECORD)
    elif entry.kind == "decompositions":
        view_state.open_atlas(entry.id, recording=entry.manifest["recording_id"])
        st.switch_page(frame.ATLAS)
    elif entry.kind == "plans":
        atlas, recording = inputs.get("decomposition_id", ""), inputs.get("recording_id", "")
        view_state.open_atlas(atlas or view_state.view().atlas, recording=recording)
        view_state.change(plan=entry.id)
        st.switch_page(frame.PRUNE)


def _recording_of(entry: Entry) -> str:
    """Return the recording that an artifact was made from, itself if it is one."""
    if entry.kind == "recordings":
        return entry.id
    facts = {**entry.manifest.get("inputs", {}), **entry.manifest}
    return str(facts.get("recording_id", "none"))


def _ask_to_delete(entries: list[Entry]) -> None:
    view_state.remember(_PENDING, _clicked_entry(_DELETE, entries))


@st.dialog("Delete for good?")
def _confirm(entry: Entry) -> None:
    st.markdown(f"{entry.kind[:-1].capitalize()}: {wording.plain(describe(entry))}")
    if entry.kind == "recordings":
        st.markdown("Decompositions made from it cannot be opened without it.")
    if entry.kind == "decompositions":
        st.markdown("Names and notes of its networks stay, and are there again if it is.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            with frame.explaining():
                resources.workspace().delete(entry.kind, entry.id)
                resources.forget_open()
                view_state.notify("Deleted")
                st.rerun()
        if st.button("Keep it"):
            st.rerun()
