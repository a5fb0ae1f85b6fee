"""Networks: each network's map, and below it what it does in texts, in numbers, in units."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.atlas import naming
from app.atlas.networks import map, options, statistics, texts
from app.shell import resources, view_state, wording
from app.shell.caches import networks
from app.widgets import atlas_frame, frame, network_order
from app.widgets.atlas_frame import select
from app.widgets.gallery import gallery, tiles
from fnprune_core.atlas.network_atlas import NetworkAtlas

SECTIONS: dict[str, Callable[[NetworkAtlas, int], None]] = {
    "texts": texts.show_texts,
    "course": texts.show_course,
    "statistics": statistics.show_statistics,
    "decoding": statistics.show_decoding,
    "units": statistics.show_units,
}


def toolbar(atlas: NetworkAtlas, network: int, shown: Sequence[int]) -> None:
    """Draw what moves between networks, in the gallery's order, and decides on this one."""
    view = view_state.view()
    is_dropped = network in view.dropped
    before, after = (network_order.neighbour(shown, network, step) for step in (-1, 1))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        button("Previous", "arrow_back", "Left", lambda: select(before))
        button("Next", "arrow_forward", "Right", lambda: select(after))
        button(
            "Keep",
            "check",
            "K",
            lambda: view_state.drop({*view.dropped} - {network}),
            off=not is_dropped,
        )
        button(
            "Prune",
            "content_cut",
            "P",
            lambda: view_state.drop({*view.dropped, network}),
            off=is_dropped,
        )
        button("Undo", "undo", "U", view_state.undo, off=not view_state.can_undo())
        naming.edit(atlas, network)


def button(
    label: str, icon: str, shortcut: str, action: Callable[[], None], *, off: bool = False
) -> None:
    """Draw a button with its key."""
    st.button(
        label,
        icon=f":material/{icon}:",
        shortcut=shortcut,
        disabled=off,
        key=f"atlas-{label}",
        on_click=action,
    )


def show_identity(atlas: NetworkAtlas, network: int) -> None:
    """Draw what drives a network in a few words, and the trivial things that it follows."""
    driven = wording.plain(resources.suggested_name(atlas.id, network))
    given = resources.annotations(atlas.id).of(network).name
    if given:
        st.markdown(f"**{wording.plain(given)}**")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Driven by {driven}", width="content")
        earlier = networks.was(atlas.id).get(network)
        if earlier is not None:
            st.caption(wording.plain(earlier.sentence()), width="content")
        for tag in resources.tags(atlas.id)[network]:
            st.badge(
                f"follows {tag.name}: {tag.value:.2g} ({tag.measure})",
                icon=":material/label:",
                color="gray",
            )
    naming.show(atlas, network)


def network_title(network: int) -> None:
    """Draw which network is looked at, and what becomes of it: a word and a sign."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(f"Network {network}", anchor=False, width="content")
        if network in view_state.view().dropped:
            st.badge("to be pruned", icon=":material/content_cut:", color="orange")
        else:
            st.badge("kept", icon=":material/check:", color="green")


def show_sections(atlas_id: str, network: int) -> None:
    """Draw the choice of what stands below the map, and what is chosen; the rest does not run."""
    with frame.explaining():
        chosen = options.choose_section()
        SECTIONS[chosen](resources.atlas(atlas_id), network)


opened = atlas_frame.open_atlas(
    "Atlas", "The functional networks of the model, one by one.", picker=False
)
if opened is not None:
    atlas, network = opened
    left, right = st.columns([1, 3], gap="medium")
    with left:
        shown = network_order.arranged(atlas)
        gallery(
            tiles(atlas.id, shown),
            selected=network,
            key="gallery",
            on_pick=select,
            tall=True,
        )
    with right:
        network_title(network)
        show_identity(atlas, network)
        toolbar(atlas, network, shown)
        map.show_map(atlas, network)
    st.fragment(show_sections)(atlas.id, network)
