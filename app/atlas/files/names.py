"""Names and notes of networks as files: downloaded, and uploaded with a preview."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.shell import resources, session_state, wording
from app.widgets import controls, frame
from app.widgets.controls import download
from fnprune_core.atlas import annotation_files, annotations
from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import ImportCheck
from fnprune_core.atlas.network_atlas import NetworkAtlas


def take_names(atlas: NetworkAtlas) -> None:
    """Offer the names and notes of the networks as JSON and CSV."""
    notes = annotations.with_maps(resources.annotations(atlas.id), atlas)
    n = len(notes.networks)
    st.markdown(f"{wording.count(n, 'network')} named or noted." if n else "Nothing is named yet.")
    with st.container(horizontal=True, gap="small"):
        for kind, to_text in (("json", annotation_files.to_json), ("csv", annotation_files.to_csv)):
            download(
                f"Names as {kind.upper()}",
                to_text(notes),
                f"atlas-{atlas.id}-names.{kind}",
                key=f"files-names-{kind}",
                is_off=not n,
            )
    st.caption(
        "They are stored beside the atlas and kept when it is deleted. Decompose the same texts "
        "again with the same settings, and they are there."
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
        if check.fit == "none" or not (check.n_fitting or check.fit == "moved"):
            return
        _show_preview(atlas, uploaded, check)
        st.caption(annotations.MERGE_RULE)
        if check.fit == "moved" and check.renumbering is not None:
            numbers = check.renumbering.numbers
            label = f"Import names of {wording.count(len(numbers), 'network')}, matched by maps"
            if numbers and st.button(label, icon=":material/join_inner:", key="files-match-names"):
                _take_over(atlas, uploaded, numbers)
        by_number = "" if check.fit == "same" else " by number"
        label = f"Import names of {wording.count(check.n_fitting, 'network')}{by_number}"
        if st.button(label, icon=":material/input:", key="files-take-names"):
            _take_over(atlas, uploaded, None)


def _take_over(
    atlas: NetworkAtlas, uploaded: Annotations, numbers: Mapping[int, int] | None
) -> None:
    annotations.merge(resources.workspace(), atlas, uploaded, numbers=numbers)
    n = sum(k < atlas.n_networks for k in uploaded.networks) if numbers is None else len(numbers)
    session_state.notify(f"Names of {wording.count(n, 'network')} imported")
    st.rerun()


def _show_fit(check: ImportCheck) -> None:
    text = wording.plain(check.message)
    if check.fit == "none":
        st.error(text, icon=":material/error:")
    elif check.fit == "same":
        st.success(text, icon=":material/check:")
    else:
        st.warning(text, icon=":material/warning:")


def _show_preview(atlas: NetworkAtlas, uploaded: Annotations, check: ImportCheck) -> None:
    present = resources.annotations(atlas.id)
    numbers = (
        {k: k for k in uploaded.networks if k < atlas.n_networks}
        if check.renumbering is None
        else check.renumbering.numbers
    )
    rows = [(k, numbers[k], uploaded.of(k)) for k in sorted(numbers)]
    table = pd.DataFrame(
        {
            "network": [k for k, _, _ in rows],
            "name in the file": [new.name for _, _, new in rows],
            "is here": [here for _, here, _ in rows],
            "name here": [
                present.of(here).name or resources.suggested_name(atlas.id, here)
                for _, here, _ in rows
            ],
            "note in the file": [new.note for _, _, new in rows],
            "tags in the file": [", ".join(new.tags) for _, _, new in rows],
        }
    )
    if check.fit != "moved":
        table = table.drop(columns="is here")
    controls.table(
        table,
        height="auto" if len(table) < 8 else 260,
        alt="What the file says of each network, and what it is called here",
    )
