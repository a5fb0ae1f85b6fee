"""Picks in a picture of points: the units inside a lasso, the networks behind them."""

from collections import Counter
from typing import Any

import streamlit as st

from app import pages
from app.shell import view_state, wording
from app.shell.caches import embedding as cache
from app.widgets import atlas_frame, frame, pinned_units
from app.widgets.controls import button
from app.widgets.gallery import gallery, tiles
from fnprune_core.atlas.network_atlas import NetworkAtlas

_UNIT = pages.path("unit")
MOST_ROWS = 500
MOST_BUTTONS = 8


def chosen_rows(event: Any) -> list[int]:
    """Return the rows that a chart's selection names in its points' customdata, each once."""
    points = event["selection"]["points"] if event else []
    rows = []
    for point in points:
        value = point.get("customdata")
        value = value[0] if isinstance(value, list | tuple) and value else value
        if isinstance(value, int | float):
            rows.append(int(value))
    return sorted(set(rows))


def selected_units(atlas: NetworkAtlas, rows: list[int], *, z: float | None) -> None:
    """List the picked units, strongest first, with the buttons that open them or their networks."""
    if not rows:
        st.caption("Draw around units with the mouse to list them here.")
        return
    table = cache.unit_table(atlas.id, z, rows)
    st.subheader(wording.count(len(table), "unit") + " selected", anchor=False)
    pinned_units.buttons(table["unit"], key="embedding-pins")
    network_buttons(atlas, Counter(int(k) for k in table["network"]), rule=atlas.rule(z))
    if len(table) > MOST_ROWS:
        st.caption(f"The {MOST_ROWS} strongest of {len(table):,} are listed.")
    listed = table.head(MOST_ROWS)
    event = st.dataframe(
        listed,
        hide_index=True,
        height=min(36 * (len(listed) + 1), 396),
        key=f"embedding-picked-{atlas.id}",
        on_select="rerun",
        selection_mode="single-row",
        alt=f"{len(listed)} selected units, strongest first",
        column_config={
            "unit": None,
            "network": st.column_config.NumberColumn(
                "network", help=f"−1: in none ({atlas.rule(z)})"
            ),
            "z": st.column_config.NumberColumn("z", format="%.2f"),
        },
    )
    picked_rows = event["selection"]["rows"]
    if picked_rows and picked_rows[0] < len(listed):
        view_state.change(unit=int(listed["unit"].iloc[picked_rows[0]]))
        st.switch_page(_UNIT)
    st.caption("Choose a row to open its unit.")


def network_buttons(atlas: NetworkAtlas, units: Counter[int], *, rule: str) -> None:
    """Draw a button for each of the networks that most of the units belong to, and the rest.

    Parameters
    ----------
    units : Counter
        Number of units by network, −1 for those in none.
    rule : str
        Which units belong to a network, in words.
    """
    counts = Counter({network: number for network, number in units.items() if network >= 0})
    if not counts:
        st.caption(f"None of them belongs to a network ({rule}).")
        return
    largest = counts.most_common(MOST_BUTTONS)
    with st.container(horizontal=True, gap="xsmall"):
        for network, number in largest:
            name = wording.plain(atlas_frame.label(atlas.id, network))
            if button(f"{name}: {wording.count(number, 'unit')}", key=f"embedding-open-{network}"):
                atlas_frame.select(network)
                st.switch_page(frame.ATLAS)
    notes = []
    if len(counts) > MOST_BUTTONS:
        others_text = wording.count(len(counts) - MOST_BUTTONS, "more network")
        notes.append(f"{counts.total() - sum(n for _, n in largest):,} in {others_text}")
    if units[-1]:
        notes.append(f"{units[-1]:,} in no network ({rule})")
    if notes:
        st.caption(f"and {', '.join(notes)}")


def thumbnails(atlas: NetworkAtlas, network: int, near: list[int]) -> None:
    """Draw the selected network and its neighbours as small pictures that can be picked."""
    cards = tiles(atlas.id)
    st.subheader("Nearest to it", anchor=False)
    gallery(
        [cards[k] for k in (network, *near)],
        selected=network,
        key="embedding-near",
        name="The selected network and its nearest",
        on_pick=atlas_frame.select,
    )
