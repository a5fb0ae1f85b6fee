"""Networks page: each network's map, and below it texts, statistics, decoding and units."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app.atlas import naming
from app.atlas.networks import map, options, statistics, steering, texts
from app.atlas.networks.linked import options as linked_options
from app.atlas.networks.linked import view as linked
from app.shell import choices, resources, view_state, wording
from app.shell.caches import networks
from app.widgets import atlas_frame, frame, network_order
from app.widgets.atlas_frame import select
from app.widgets.controls import button
from app.widgets.gallery import gallery, tiles
from app.widgets.search import bookmarks
from app.widgets.search.copy_link import copy_link
from fnprune_core.atlas.lists.lists import Item
from fnprune_core.atlas.network_atlas import NetworkAtlas

SECTIONS: dict[str, Callable[[NetworkAtlas, int], None]] = {
    "texts": texts.show_texts,
    "course": texts.show_course,
    "statistics": statistics.show_statistics,
    "decoding": statistics.show_decoding,
    "units": statistics.show_units,
    "writing": steering.show,
}


def toolbar(atlas: NetworkAtlas, network: int, shown_networks: Sequence[int]) -> None:
    """Draw the buttons that move between networks, in the gallery order, and decide on one."""
    view = view_state.view()
    is_dropped = network in view.dropped
    others, more = {*view.dropped} - {network}, {*view.dropped, network}
    previous_network, next_network = (
        network_order.neighbour(shown_networks, network, step) for step in (-1, 1)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        for label, icon, shortcut, does, is_off in (
            ("Previous", "arrow_back", "Left", partial(select, previous_network), False),
            ("Next", "arrow_forward", "Right", partial(select, next_network), False),
            ("Protect", "shield", "K", partial(choices.drop, others), not is_dropped),
            ("Don't protect", "remove_moderator", "P", partial(choices.drop, more), is_dropped),
            ("Undo", "undo", "U", choices.undo, not choices.can_undo()),
        ):
            key = f"atlas-{label}"
            button(label, icon, key=key, shortcut=shortcut, does=does, is_off=is_off)
        naming.edit(atlas, network)
        bookmarks.toggle(atlas, Item(kind="network", number=network), key="network-bookmark")
        link = view_state.link("atlas", network=network)
        copy_link(link, what=f"network {network}", key="network-link")


def show_identity(atlas: NetworkAtlas, network: int) -> None:
    """Draw a network's name with its reasons, and the trivial things that it follows."""
    naming.show_name(atlas, network)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        earlier = networks.earlier_networks(atlas.id).get(network)
        if earlier is not None:
            st.caption(wording.plain(earlier.sentence()), width="content")
        for tag in networks.tags(atlas.id)[network]:
            st.badge(
                f"follows {tag.name}: {tag.value:.2g} ({tag.measure})",
                icon=":material/label:",
                color="gray",
            )
    naming.show(atlas, network)


def network_title(network: int) -> None:
    """Draw the selected network's number, and its keep or prune state: a word and a sign."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(f"Network {network}", anchor=False, width="content")
        if network in view_state.view().dropped:
            st.badge("not protected", icon=":material/remove_moderator:", color="orange")
        else:
            st.badge("protected", icon=":material/shield:", color="green")
        st.space("stretch")
        linked.choose()


def show_sections(atlas_id: str, network: int) -> None:
    """Draw the choice of the section below the map, and the chosen section alone."""
    with frame.explaining():
        section = options.choose_section()
        SECTIONS[section](resources.atlas(atlas_id), network)


def show_linked(atlas: NetworkAtlas, network: int) -> None:
    """Draw all networks by two statistics beside the selected one's map, time course and texts."""
    left, right = st.columns([1, 1], gap="medium", vertical_alignment="center")
    with left:
        network_title(network)
    with right:
        atlas_frame.pick_network(atlas, network)
    linked.show(atlas, network)


def show_one(atlas: NetworkAtlas, network: int) -> None:
    """Draw the gallery, and the selected network: its map, and a section below it."""
    left, right = st.columns([1, 3], gap="medium")
    with left:
        shown_networks = network_order.arranged(atlas)
        gallery(
            tiles(atlas.id, shown_networks),
            selected=network,
            key="gallery",
            on_pick=select,
            tall=True,
        )
    with right:
        network_title(network)
        show_identity(atlas, network)
        toolbar(atlas, network, shown_networks)
        map.show_map(atlas, network)
    st.fragment(show_sections)(atlas.id, network)


atlas_and_network = atlas_frame.open_atlas(
    "Atlas", "The functional networks of the model, one by one.", picker=False
)
if atlas_and_network is not None:
    show_page = show_linked if linked_options.options().is_open else show_one
    show_page(*atlas_and_network)
