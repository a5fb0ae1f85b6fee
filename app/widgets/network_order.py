"""The controls above the gallery: its order, and which networks it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app.shell import resources, view_state
from fnprune_core.atlas.network_atlas import NetworkAtlas

EITHER, KEPT, DROPPED = "all", "kept", "to be pruned"


DECISIONS = (EITHER, KEPT, DROPPED)
#: Columns of the table of networks that people sort by; others are called by their own name.
LABELS = {
    "network": "number",
    "run_agreement": "agreement of runs",
    "reproducibility": "split-half r",
    "again_bootstrap": "found again, bootstraps",
    "again_seeds": "found again, seeds",
    "variance_alone": "variance alone",
    "variance_left_out": "variance lost when left out",
    "top_domain_share": "share in its first domain",
    "peak_layer": "peak layer",
    "units_above_3": "units with |z| > 3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a network must be to be shown; what is empty asks nothing.

    Parameters
    ----------
    words : str
        In its name or number, whatever the case.
    domains : tuple of str
        The domain with most of its energy.
    tags : tuple of str
        At least one of the trivial things that it follows.
    decision : str
        One of `DECISIONS`.
    column : str
        A statistic…
    low, high : float
        … within these bounds.
    """

    words: str = ""
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    decision: str = EITHER
    column: str = ""
    low: float = float("-inf")
    high: float = float("inf")


def statistics(table: pd.DataFrame) -> list[str]:
    """Return the columns by which networks can be sorted: numbers that are not all missing."""
    numeric = table.select_dtypes("number")
    return [str(name) for name in numeric.columns if numeric[name].notna().any()]


def label(column: str) -> str:
    """Return what a column is called."""
    return LABELS.get(column, column.replace("_", " "))


def arrange(
    table: pd.DataFrame,
    *,
    names: Sequence[str],
    tags: Sequence[Sequence[str]],
    dropped: Sequence[int],
    order: str,
    wanted: Filter,
) -> list[int]:
    """Return the networks to show, in order.

    Parameters
    ----------
    table : DataFrame
        One row a network, as `NetworkAtlas.table` makes it.
    names, tags : sequence
        By network.
    order : str
        A column, smallest first; with a minus before it, largest first. Unknown: by number.
    """
    good = pd.Series(True, index=table.index)
    words = wanted.words.casefold().strip()
    if words:
        good &= np.array(
            [
                words in name.casefold() or words == str(number)
                for name, number in zip(names, table["network"], strict=True)
            ]
        )
    if wanted.domains:
        good &= table["top_domain"].isin(wanted.domains)
    if wanted.tags:
        good &= np.array([bool(set(wanted.tags) & set(of_network)) for of_network in tags])
    if wanted.decision != EITHER:
        good &= table["network"].isin(dropped) == (wanted.decision == DROPPED)
    if wanted.column in table:
        good &= table[wanted.column].between(wanted.low, wanted.high)
    column, largest_first = order.removeprefix("-"), order.startswith("-")
    if column not in statistics(table):
        column, largest_first = "network", False
    shown = table[good].sort_values(
        column, ascending=not largest_first, kind="stable", na_position="last"
    )
    return [int(number) for number in shown["network"]]


def neighbour(shown: Sequence[int], network: int, step: int) -> int:
    """Return the network `step` places on in the gallery, around its ends.

    A network that the filter hides leads to the first or the last of those shown.
    """
    if not shown:
        return network
    if network not in shown:
        return shown[0] if step > 0 else shown[-1]
    return shown[(list(shown).index(network) + step) % len(shown)]


_KEYS = ("words", "domains", "tags", "decision", "column")


def arranged(atlas: NetworkAtlas) -> list[int]:
    """Draw the controls; return the networks to show, in order."""
    table = resources.network_table(atlas.id)
    tags = [[tag.name for tag in found] for found in resources.tags(atlas.id)]
    columns = statistics(table)
    held = view_state.view().sort
    current = held.removeprefix("-") if held.removeprefix("-") in columns else "network"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        order = st.selectbox(
            "Sort by",
            columns,
            index=columns.index(current),
            format_func=label,
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
    shown = arrange(
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
        "Statistic", ["", *columns[1:]], format_func=lambda c: label(c) or "any",
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
