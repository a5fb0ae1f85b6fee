"""A figure on the page, with the sentence that says what it shows and its numbers."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from app.figures.base import Picture, in_words
from app.shell import resources, view_state, wording
from app.shell.components import component
from app.shell.wording import plain
from app.widgets import controls
from app.widgets.controls import download
from app.widgets.frame import palette
from fnprune_core.errors import FnpruneError
from fnprune_core.foreign_text import csv_of

_CHART = {
    "displaylogo": False,
    "toImageButtonOptions": {"format": "svg", "filename": "fnprune"},
    "displayModeBar": True,
    "modeBarButtons": [["toImage"]],
}


def draw_picture(
    picture: Picture,
    *,
    key: str,
    note: bool = True,
    made: str = "",
    command: str = "",
    **options: Any,
) -> Any:
    """Draw a picture, its sentence, and its numbers on request.

    Parameters
    ----------
    made : str, optional
        Python that makes its numbers again (`recipes.code`); given, the page offers it together
        with the artifact's provenance.
    command : str, optional
        Command lines that do the same.
    """
    event = st.plotly_chart(
        picture.figure,
        theme=None,
        config=_CHART,
        key=key,
        alt=picture.alternative,
        **options,
    )
    if note:
        describe(
            picture.alternative,
            lambda: numbers(picture, key=key, canvas=palette().canvas),
            key=key,
            made=made,
            command=command,
        )
    return event


def describe(
    words: str, numbers: Callable[[], None], *, key: str, made: str = "", command: str = ""
) -> None:
    """Draw what stands below a picture: what it shows, its numbers, and how it was made.

    Parameters
    ----------
    numbers : callable
        Draws the numbers once they are asked for.
    made, command : str
        Python (`recipes.code`) and command lines that make it again.
    """
    with st.container(
        horizontal=True,
        wrap=False,
        gap="small",
        vertical_alignment="center",
        key=f"{key}-picture-note",
    ):
        st.caption(plain(words), width="stretch")
        popover = st.popover("Numbers", type="tertiary", key=f"{key}-numbers", on_change="rerun")
        if popover.open:
            with popover:
                numbers()
        if made:
            provenance(made, key=key, command=command)


def draw_table(rows: pd.DataFrame, *, name: str, key: str, alt: str) -> None:
    """Draw the numbers behind a picture, and the button that saves them as CSV."""
    csv_button(rows, name=name, key=key)
    controls.table(in_words(rows), alt=alt)


_save = component("save_picture")


def numbers(picture: Picture, *, key: str, canvas: str) -> None:
    """Offer a picture's table as CSV and its drawing as PNG and SVG, named after the view."""
    view = view_state.view()
    name = f"fnprune-{key}"
    if view.atlas:
        name += f"-{view.atlas[:8]}-network-{view.network}-z{view.z:g}"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        csv_button(picture.table, name=name, key=key)
        save_picture(f"{key}-save", chart=key, name=name, canvas=canvas)
    controls.table(in_words(picture.table), alt=picture.alternative)


def csv_button(table: pd.DataFrame, *, name: str, key: str) -> None:
    """Offer a table as a CSV file called `name`."""
    download("CSV", lambda: csv_of(table), f"{name}.csv", key=f"{key}-csv")


def provenance(made: str, *, key: str, command: str = "") -> None:
    """Offer the provenance of a picture, and the Python that makes its numbers again.

    Parameters
    ----------
    command : str, optional
        Command lines that do the same.
    """
    popover = st.popover("How was this made", type="tertiary", key=f"{key}-made", on_change="rerun")
    if not popover.open:
        return
    with popover:
        with suppress(FnpruneError):
            facts = resources.manifest("decompositions", view_state.view().atlas)
            st.markdown(
                "  \n".join(f"**{k}** {wording.plain(v)}" for k, v in origin(facts).items())
            )
        if command:
            st.markdown("**On the command line**")
            st.code(command, language="bash", wrap_lines=True)
            st.markdown("**In Python**")
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


def save_picture(key: str, *, chart: str, name: str, canvas: str) -> None:
    """Draw the buttons for the chart with the key `chart`.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    canvas : str
        Colour behind the chart in the file.
    """
    data: dict[str, Any] = {"chart": chart, "name": name, "canvas": canvas}
    _save(key=key, data=data)
