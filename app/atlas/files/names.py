"""Names and notes of networks as files: downloaded, and uploaded with a preview."""

import pandas as pd
import streamlit as st

from app.shell import resources, view_state, wording
from app.widgets import frame
from fnprune_core.atlas import annotation_files, annotations
from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import ImportCheck
from fnprune_core.atlas.network_atlas import NetworkAtlas


def take_names(atlas: NetworkAtlas) -> None:
    """Offer the names and notes of the networks as JSON and CSV."""
    notes = resources.annotations(atlas.id)
    n = len(notes.networks)
    st.markdown(f"{wording.count(n, 'network')} named or noted." if n else "Nothing is named yet.")
    with st.container(horizontal=True, gap="small"):
        for kind, to_text in (("json", annotation_files.to_json), ("csv", annotation_files.to_csv)):
            st.download_button(
                f"Names as {kind.upper()}",
                to_text(notes),
                file_name=f"atlas-{atlas.id}-names.{kind}",
                mime="application/json" if kind == "json" else "text/csv",
                icon=":material/download:",
                key=f"files-names-{kind}",
                disabled=not n,
                on_click="ignore",
            )
    st.caption(
        "They lie in the workspace beside the atlas and stay when it is deleted: the same texts, "
        "decomposed again with the same settings, find them."
    )


def bring_names(atlas: NetworkAtlas) -> None:
    """Read a file of names, say whether it fits, show what would change, and take it over."""
    upload = st.file_uploader(
        "A file of names: JSON or CSV",
        type=["json", "csv"],
        key="files-names",
        max_upload_size=16,
        help="A table needs the columns network, name, note, tags.",
    )
    if upload is None:
        return
    with frame.explaining():
        uploaded = annotation_files.parse(upload.getvalue(), name=upload.name)
        check = annotations.check_import(uploaded, atlas)
        _show_fit(check)
        if check.fit == "none" or not check.n_fitting:
            return
        _show_preview(atlas, uploaded)
        st.caption(annotations.MERGE_RULE)
        by_number = "" if check.fit == "same" else " by number"
        label = f"Take over {wording.count(check.n_fitting, 'network')}{by_number}"
        if st.button(label, icon=":material/input:", key="files-take-names"):
            annotations.merge(resources.workspace(), atlas, uploaded)
            view_state.notify(f"Names of {wording.count(check.n_fitting, 'network')} taken over")
            st.rerun()


def _show_fit(check: ImportCheck) -> None:
    text = wording.plain(check.message)
    if check.fit == "none":
        st.error(text, icon=":material/error:")
    elif check.fit == "same":
        st.success(text, icon=":material/check:")
    else:
        st.warning(text, icon=":material/warning:")


def _show_preview(atlas: NetworkAtlas, uploaded: Annotations) -> None:
    present = resources.annotations(atlas.id)
    rows = [
        (k, uploaded.of(k), present.of(k))
        for k in sorted(uploaded.networks)
        if k < atlas.n_networks
    ]
    table = pd.DataFrame(
        {
            "network": [k for k, _, _ in rows],
            "name in the file": [new.name for _, new, _ in rows],
            "name here": [old.name or resources.suggested_name(atlas.id, k) for k, _, old in rows],
            "note in the file": [new.note for _, new, _ in rows],
            "tags in the file": [", ".join(new.tags) for _, new, _ in rows],
        }
    )
    st.dataframe(table, hide_index=True, height="auto" if len(table) < 8 else 260,
                 alt="What the file says of each network, and what it is called here")  # fmt: skip
