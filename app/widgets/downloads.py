"""What a picture can be taken away as, what it was made from, and how it is made again."""

from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from app.figures import Picture
from app.picture_saver import save_picture
from app.shell import resources, view_state, wording
from fnprune_core.errors import FnpruneError


def numbers(shown: Picture, *, key: str, canvas: str) -> None:
    """Offer a picture's table as CSV and its drawing as PNG and SVG, named after the view."""
    view = view_state.view()
    name = f"fnprune-{key}"
    if view.atlas:
        name += f"-{view.atlas[:8]}-network-{view.network}-z{view.z:g}"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        csv_button(shown.table, name=name, key=key)
        save_picture(f"{key}-save", chart=key, name=name, canvas=canvas)
    st.dataframe(shown.table, hide_index=True, alt=shown.alternative)


def csv_button(table: pd.DataFrame, *, name: str, key: str) -> None:
    """Offer a table as a CSV file called `name`."""
    st.download_button(
        "CSV",
        lambda: table.to_csv(index=False),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"{key}-csv",
        on_click="ignore",
    )


def provenance(made: str, *, key: str) -> None:
    """Offer what a picture was made from, and the Python that makes its numbers again."""
    popover = st.popover("How was this made", type="tertiary", key=f"{key}-made", on_change="rerun")
    if not popover.open:
        return
    with popover:
        with suppress(FnpruneError):
            facts = resources.manifest("decompositions", view_state.view().atlas)
            st.markdown(
                "  \n".join(f"**{k}** {wording.plain(v)}" for k, v in origin(facts).items())
            )
        st.code(made, language="python")


def origin(manifest: dict[str, Any]) -> dict[str, str]:
    """Return where an atlas comes from, in words."""
    settings = manifest["settings"]
    versions = manifest["versions"]
    return {
        "Atlas": f"{view_state.view().atlas}, made {manifest['created']}",
        "Recording": str(manifest["recording_id"]),
        "Model fingerprint": str(manifest["fingerprint"]),
        "Settings": ", ".join(f"{k} {v}" for k, v in settings.items()),
        "Versions": ", ".join(f"{k} {v}" for k, v in versions.items()),
    }
