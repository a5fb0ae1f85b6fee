"""The controls above the gallery: its order, and which networks it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app.figures.base import column_name
from app.shell import resources, session_state, view_state, wording
from app.shell.caches import networks, trust
from app.widgets.controls import button, choose
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.network_atlas import NetworkAtlas

EITHER, KEPT, DROPPED = "all", "protected", "not protected"


DECISIONS = (EITHER, KEPT, DROPPED)
#: Columns whose name is shorter, or longer, where networks are sorted by them.
_LABELS = {"network": "number", "units": "units of the network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions on the networks that are shown; an empty one asks nothing.

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
    recurs : bool
        Comes back in halves of the documents.
    """

    words: str = ""
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    decision: str = EITHER
    column: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    recurs: bool = False


#: How alike runs are: near 1 for nearly all networks. The Trust page has them, with what they are.
_OF_RUNS = frozenset({"run_agreement", "again_bootstrap", "again_seeds"})


def statistics(table: pd.DataFrame) -> list[str]:
    """Return the columns by which networks can be sorted: numbers that are not all missing."""
    numeric = table.select_dtypes("number")
    return [
        str(name)
        for name in numeric.columns
        if name not in _OF_RUNS and numeric[name].notna().any()
    ]


def comes_back(table: pd.DataFrame) -> pd.Series:
    """Return which networks come back in halves of the documents; all while it is not known."""
    if "reproducibility" not in table:
        return pd.Series(True, index=table.index)
    return table["reproducibility"] >= HIGH


def label(column: str) -> str:
    """Return the label of a column."""
    return _LABELS.get(column) or column_name(column)


def arrange(
    table: pd.DataFrame,
    *,
    names: Sequence[str],
    tags: Sequence[Sequence[str]],
    dropped: Sequence[int],
    order: str,
    conditions: Filter,
) -> list[int]:
    """Return the networks to show, in order.

    Parameters
    ----------
    table : DataFrame
        One row per network, as `NetworkAtlas.table` makes it.
    names, tags : sequence
        By network.
    order : str
        A column, smallest first; with a minus before it, largest first. Unknown: by number,
        those that come back in halves of the documents before others.
    """
    is_shown = pd.Series(True, index=table.index)
    words = conditions.words.casefold().strip()
    if words:
        is_shown &= np.array(
            [
                words in name.casefold() or words == str(number)
                for name, number in zip(names, table["network"], strict=True)
            ]
        )
    if conditions.domains:
        is_shown &= table["top_domain"].isin(conditions.domains)
    if conditions.tags:
        is_shown &= np.array([bool(set(conditions.tags) & set(of_network)) for of_network in tags])
    if conditions.decision != EITHER:
        is_shown &= table["network"].isin(dropped) == (conditions.decision == DROPPED)
    if conditions.column in table:
        is_shown &= table[conditions.column].between(conditions.low, conditions.high)
    column, largest_first = order.removeprefix("-"), order.startswith("-")
    if column not in statistics(table):
        column, largest_first = "network", False
    is_back = comes_back(table)
    if conditions.recurs:
        is_shown &= is_back
    sorted_table = table[is_shown].sort_values(
        column, ascending=not largest_first, kind="stable", na_position="last"
    )
    if column == "network" and not largest_first:
        back = is_back[sorted_table.index]
        sorted_table = pd.concat([sorted_table[back], sorted_table[~back]])
    return [int(number) for number in sorted_table["network"]]


def neighbour(networks: Sequence[int], network: int, step: int) -> int:
    """Return the network `step` places on in the gallery, around its ends.

    A network that the filter hides leads to the first or the last of those shown.
    """
    if not networks:
        return network
    if network not in networks:
        return networks[0] if step > 0 else networks[-1]
    return networks[(list(networks).index(network) + step) % len(networks)]


_KEYS = ("words", "domains", "tags", "decision", "column", "recurs")


def arranged(atlas: NetworkAtlas) -> list[int]:
    """Draw the controls; return the networks to show, in order."""
    table = trust.network_table(atlas.id)
    tags = [[tag.name for tag in network_tags] for network_tags in networks.tags(atlas.id)]
    columns = statistics(table)
    viewed_order = view_state.view().sort
    current = (
        viewed_order.removeprefix("-") if viewed_order.removeprefix("-") in columns else "network"
    )
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
        is_descending = viewed_order.startswith("-")
        direction = "Largest first" if is_descending else "Smallest first"
        button(
            direction,
            "arrow_downward" if is_descending else "arrow_upward",
            help=direction,
            key="gallery-direction",
            does=lambda: view_state.change(sort=current if is_descending else f"-{current}"),
        )
        with st.popover(
            "Filter", icon=":material/filter_list:", help="Filter", key="gallery-filter"
        ):
            conditions = _filter(atlas, tags, columns)
    if order != current:
        # Where a large number is a good one, the largest comes first.
        view_state.change(sort=order if order in ("network", "peak_layer") else f"-{order}")
    shown_networks = arrange(
        table,
        names=resources.network_names(atlas.id),
        tags=tags,
        dropped=view_state.view().dropped,
        order=view_state.view().sort,
        conditions=conditions,
    )
    if len(shown_networks) < atlas.n_networks:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.caption(f"{len(shown_networks)} of {atlas.n_networks} shown", width="stretch")
            st.button("Show all", type="tertiary", key="gallery-reset", on_click=_reset)
    return shown_networks


def _filter(atlas: NetworkAtlas, tags: list[list[str]], columns: list[str]) -> Filter:
    """Draw the filter; return its conditions."""
    words = st.text_input(
        "Name or number", key="gallery-words", max_chars=80, persist_state="session"
    )
    domains = st.pills(
        "Most in", atlas.domain_names, selection_mode="multi", key="gallery-domains",
        format_func=wording.plain, persist_state="session",
    )  # fmt: skip
    tag_names = sorted({name for network_tags in tags for name in network_tags})
    followed = (
        st.pills(
            "Follows",
            tag_names,
            selection_mode="multi",
            format_func=wording.plain,
            key="gallery-tags",
            persist_state="session",
        )
        if tag_names
        else []
    )
    decision = choose(
        "Decision",
        DECISIONS,
        key="gallery-decision",
        default=EITHER,
        is_labelled=True,
        is_kept=True,
    )
    column = st.selectbox(
        "Statistic", ["", *columns[1:]], format_func=lambda c: label(c) or "any",
        key="gallery-column", persist_state="session",
    )  # fmt: skip
    low, high = _bounds(atlas, column) if column else (float("-inf"), float("inf"))
    recurs = st.toggle(
        f"Only those with split-half r of {HIGH} or more", key="gallery-recurs",
        persist_state="session",
    )  # fmt: skip
    return Filter(
        recurs=recurs,
        words=words or "",
        domains=tuple(domains or ()),
        tags=tuple(followed or ()),
        decision=decision or EITHER,
        column=column or "",
        low=low,
        high=high,
    )


def _bounds(atlas: NetworkAtlas, column: str) -> tuple[float, float]:
    """Return the chosen bounds of a statistic, a hair wider: sliders round."""
    values = trust.network_table(atlas.id)[column].dropna()
    lowest, highest = float(values.min()), float(values.max())
    if not highest > lowest:
        return lowest, highest
    low, high = st.slider(
        "Between",
        lowest,
        highest,
        (lowest, highest),
        (highest - lowest) / 100,
        key=f"gallery-bounds-{atlas.id}-{column}",
        format="%.3g",
    )
    margin = (highest - lowest) * 1e-6
    return low - margin, high + margin


def _reset() -> None:
    for key in _KEYS:
        session_state.forget(f"gallery-{key}")
