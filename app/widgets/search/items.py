"""One network or unit in a list: its name as a button that opens it, and its link."""

import streamlit as st

from app import pages
from app.shell import resources, session_state, view_state, wording
from app.widgets.search.copy_link import copy_link
from fnprune_core.atlas.lists.lists import Item
from fnprune_core.atlas.network_atlas import NetworkAtlas


def name_of(atlas: NetworkAtlas, item: Item) -> str:
    """Return a network's number and name, or a unit's layer and index; plain text."""
    if item.kind == "network":
        return f"{item.number} · {resources.network_name(atlas.id, item.number)}"
    layer, index = (int(place) for place in atlas.layout.locate(item.number))
    return f"layer {layer}, unit {index:,}"


def link_of(item: Item) -> str:
    """Return the address of a network's or a unit's page."""
    if item.kind == "network":
        return view_state.link("atlas", network=item.number)
    return view_state.link("unit", unit=item.number)


def item_row(atlas: NetworkAtlas, item: Item, *, key: str) -> None:
    """Draw an item in one row: the button that opens it, and the one that copies its link."""
    key = f"{key}-{item.kind}-{item.number}"
    if st.button(wording.plain(name_of(atlas, item)), key=f"{key}-open", type="tertiary"):
        open_item(item)
    st.space("stretch")
    copy_link(link_of(item), what=f"{item.kind} {item.number}", key=f"{key}-link")


def open_item(item: Item) -> None:
    """Open the page of a network or unit; ends the run of this page."""
    session_state.forget(session_state.SEARCH_IS_OPEN)
    if item.kind == "network":
        view_state.change(network=item.number)
        st.switch_page(pages.path("atlas"))
    view_state.change(unit=item.number)
    st.switch_page(pages.path("unit"))
