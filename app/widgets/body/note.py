"""What stands below a viewer: its picture in words, its numbers, and how it was made."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app.figures.base import in_words
from app.shell import wording
from app.widgets.picture import csv_button, provenance

#: Said once on each page that shows the body.
PLACES = "Units have no place of their own: the layout is computed."


def note(
    words: str, table: Callable[[], pd.DataFrame], *, key: str, file: str, made: str, about: str
) -> None:
    """Draw what a viewer shows in words; its numbers as a table and a CSV file on request.

    Parameters
    ----------
    table : callable
        Returns the numbers when they are asked for.
    file : str
        Name of the CSV file, without its ending.
    made : str
        Python that makes it again (`recipes.code`).
    about : str
        How to read the picture.
    """
    with st.container(
        horizontal=True,
        wrap=False,
        gap="small",
        vertical_alignment="center",
        key=f"{key}-picture-note",
    ):
        st.caption(wording.plain(f"{words} {about}"), width="stretch")
        numbers = st.popover("Numbers", type="tertiary", key=f"{key}-numbers", on_change="rerun")
        if numbers.open:
            with numbers:
                rows = table()
                csv_button(rows, name=file, key=key)
                st.dataframe(in_words(rows), hide_index=True, alt=words)
        provenance(made, key=key)
