"""The controls above the gallery: its order, and which networks it shows."""

import streamlit as st

from app import arrangement
from app.arrangement import DECISIONS, EITHER, Filter
from app.shell import resources, view_state
from fnprune_core.atlas.network_atlas import NetworkAtlas

_KEYS = ("words", "domains", "tags", "decision", "column")


def arranged(atlas: NetworkAtlas) -> list[int]:
    """Draw the controls; return the networks to show, in order."""
    table = resources.network_table(atlas.id)
    tags = [[tag.name for tag in found] for found in resources.tags(atlas.id)]
    columns = arrangement.statistics(table)
    held = view_state.view().sort
    current = held.removeprefix("-") if held.removeprefix("-") in columns else "network"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        order = st.selectbox(
            "Sort by",
            columns,
            index=columns.index(current),
            format_func=arrangement.label,
            key=f"gallery-sort-{current}",
            label_visibility="collapsed",
            width="stretch",
        )
        down = held.startswith("-")
        st.button(
            "",
            icon=":material/arrow_downward:" if down else ":material/arrow_upward:",
            help="Largest first" if down else "Smallest first",
            key="gallery-direction",
            on_click=lambda: view_state.change(sort=current if down else f"-{current}"),
        )
        with st.popover("", icon=":material/filter_list:", help="Filter", key="gallery-filter"):
            wanted = _filter(atlas, tags, columns)
    if order != current:
        # Numbers that say how good a network is are read from the largest.
        view_state.change(sort=order if order in ("network", "peak_layer") else f"-{order}")
    shown = arrangement.arrange(
        table,
        names=[resources.network_name(atlas.id, k) for k in range(atlas.n_networks)],
        tags=tags,
        dropped=view_state.view().dropped,
        order=view_state.view().sort,
        wanted=wanted,
    )
    if len(shown) < atlas.n_networks:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.caption(f"{len(shown)} of {atlas.n_networks} shown", width="stretch")
            st.button("Show all", type="tertiary", key="gallery-reset", on_click=_reset)
    return shown


def _filter(atlas: NetworkAtlas, tags: list[list[str]], columns: list[str]) -> Filter:
    """Draw the filter and return it."""
    words = st.text_input(
        "Name or number", key="gallery-words", max_chars=80, persist_state="session"
    )
    domains = st.pills(
        "Most in", atlas.domain_names, selection_mode="multi", key="gallery-domains",
        persist_state="session",
    )  # fmt: skip
    present = sorted({name for found in tags for name in found})
    followed = (
        st.pills(
            "Follows", present, selection_mode="multi", key="gallery-tags", persist_state="session"
        )
        if present
        else []
    )
    decision = st.segmented_control(
        "Decision", DECISIONS, default=EITHER, required=True, key="gallery-decision",
        persist_state="session",
    )  # fmt: skip
    column = st.selectbox(
        "Statistic", ["", *columns[1:]], format_func=lambda c: arrangement.label(c) or "any",
        key="gallery-column", persist_state="session",
    )  # fmt: skip
    low, high = _bounds(atlas, column) if column else (float("-inf"), float("inf"))
    return Filter(
        words=words or "",
        domains=tuple(domains or ()),
        tags=tuple(followed or ()),
        decision=decision or EITHER,
        column=column or "",
        low=low,
        high=high,
    )


def _bounds(atlas: NetworkAtlas, column: str) -> tuple[float, float]:
    """Ask between which values a statistic must lie; a hair wider, for sliders round."""
    values = resources.network_table(atlas.id)[column].dropna()
    least, most = float(values.min()), float(values.max())
    if not most > least:
        return least, most
    low, high = st.slider(
        "Between",
        least,
        most,
        (least, most),
        (most - least) / 100,
        key=f"gallery-bounds-{atlas.id}-{column}",
        format="%.3g",
    )
    hair = (most - least) * 1e-6
    return low - hair, high + hair


def _reset() -> None:
    for key in _KEYS:
        view_state.forget(f"gallery-{key}")
