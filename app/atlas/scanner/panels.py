"""A picture by nilearn on the page: the image, what it shows, its numbers, how it was made."""

import html
from collections.abc import Sequence

import streamlit as st

from app.figures.base import in_words
from app.figures.distinct import network_colours
from app.shell.caches.nilearn import Scan
from app.widgets import frame
from app.widgets.controls import download, table
from app.widgets.picture import csv_button, describe


def scan(picture: Scan, *, key: str, made: str) -> None:
    """Draw a picture with its text alternative; numbers and PNG on request.

    Parameters
    ----------
    made : str
        Python that makes it again (`recipes.code`).
    """
    st.image(picture.png, width="stretch", alt=picture.alternative)
    describe(picture.alternative, lambda: _numbers_and_png(picture, key=key), key=key, made=made)


def _numbers_and_png(picture: Scan, *, key: str) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        csv_button(picture.table, name=f"fnprune-{key}", key=key)
        download("PNG", picture.png, f"fnprune-{key}.png", key=f"{key}-png")
    table(in_words(picture.table), alt=picture.alternative)


def legend(names: Sequence[str], networks: Sequence[int], n_networks: int) -> None:
    """Draw which colour is which network."""
    palette = frame.palette()
    colours = network_colours(palette, n_networks)
    rows = "".join(
        '<span style="display:inline-flex;align-items:center;gap:6px;margin-right:16px">'
        f'<span style="width:12px;height:12px;background:{colours[k]};'
        f'border:1px solid {palette.line}"></span>{html.escape(name)}</span>'
        for k, name in zip(networks, names, strict=True)
    )
    st.html(f'<div style="font-size:.86rem;color:{palette.text}">{rows}</div>')
