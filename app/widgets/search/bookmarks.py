"""Bookmarks and lists of networks and units: put in, taken out, opened, carried to other places."""

import streamlit as st

from app.shell import resources, session_state, view_state, wording
from app.shell.caches import search as cache
from app.widgets import frame
from app.widgets.controls import button, download
from app.widgets.search.items import item_row
from fnprune_core.atlas.lists import lists
from fnprune_core.atlas.lists.lists import BOOKMARKS, Item
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError

_NEW = "New list"


def toggle(atlas: NetworkAtlas, item: Item, *, key: str) -> None:
    """Draw the button that puts an item among the bookmarks, or takes it out."""
    try:
        is_in = cache.lists_of(atlas.id).holds(item)
    except FnpruneError:  # the dialog of lists tells what is damaged
        return
    label = "Take it from the bookmarks" if is_in else "Put it among the bookmarks"
    button(
        label,
        "bookmark_added" if is_in else "bookmark_add",
        key=key,
        help=label,
        kind="tertiary",
        does=_put,
        args=(atlas.id, item, BOOKMARKS, not is_in),
    )


def _put(atlas_id: str, item: Item, name: str, is_in: bool) -> None:
    try:
        lists.put(resources.workspace(), resources.atlas(atlas_id), item, name=name, is_in=is_in)
    except FnpruneError as error:
        session_state.notify(error.message)


def show_lists(atlas: NetworkAtlas) -> None:
    """Draw the lists of an atlas: the chosen one's items, a new list, export and import."""
    stored = cache.lists_of(atlas.id)
    if stored.lost:
        st.warning(
            f"{wording.count(len(stored.lost), 'network')} of these lists "
            f"{'is' if len(stored.lost) == 1 else 'are'} not in this atlas any more: "
            f"{', '.join(map(str, stored.lost))}."
        )
    names = list(stored.items)
    if names:
        name = st.selectbox("List", names, key="lists-name")
        for item in stored.items[name]:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                button(
                    "Take it out of the list",
                    "close",
                    key=f"list-out-{item.kind}-{item.number}",
                    help="Take it out of the list",
                    kind="tertiary",
                    does=_put,
                    args=(atlas.id, item, name, False),
                )
                item_row(atlas, item, key="list")
    else:
        st.caption("No list yet. Bookmark a network or unit, or put the open one into a new list.")
    _put_open_one(atlas, names)
    _carry(atlas, stored)


def _put_open_one(atlas: NetworkAtlas, names: list[str]) -> None:
    """Offer to put the selected network or unit into a list, an old or a new one."""
    view = view_state.view()
    choices = [Item(kind="network", number=view.network)]
    if 0 <= view.unit < atlas.layout.n_units:
        choices.append(Item(kind="unit", number=view.unit))
    with st.form("lists-put", border=False):
        left, middle, right = st.columns([3, 3, 1], vertical_alignment="bottom")
        with left:
            item = st.selectbox(
                "Put", choices, format_func=lambda each: f"the open {each.kind}, {each.number}"
            )
        with middle:
            name = st.selectbox(
                "into the list",
                names or [BOOKMARKS],
                accept_new_options=True,
                help="Type a name for a new list.",
            )
        with right:
            is_sent = st.form_submit_button("Put", key="lists-put-send")
    if is_sent and item is not None and name:
        lists.put(resources.workspace(), atlas, item, name=str(name), is_in=True)
        st.rerun(scope="fragment")


def _carry(atlas: NetworkAtlas, stored: lists.Lists) -> None:
    with st.expander("Export and import", icon=":material/swap_vert:"):
        if stored.items:
            download(
                "Export as JSON",
                lists.to_json(stored),
                f"fnprune-lists-{atlas.id[:8]}.json",
                key="lists-export",
            )
        uploaded = st.file_uploader("Import lists", type=["json"], key="lists-import")
        if uploaded is not None and st.button("Add these lists", key="lists-add"):
            with frame.explaining():
                merged = lists.merge(
                    resources.workspace(),
                    atlas,
                    lists.parse(uploaded.getvalue(), name=uploaded.name),
                )
                n_items = sum(map(len, merged.items.values()))
                lost = f"; {len(merged.lost)} networks were not found" if merged.lost else ""
                st.success(f"{wording.count(n_items, 'item')} in the lists now{lost}.")
