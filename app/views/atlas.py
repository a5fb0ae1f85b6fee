"""Networks: each network's map, and below it what it does in texts, in numbers, in units."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import (
    arrangement,
    atlas_frame,
    components,
    functions,
    map_options,
    maps,
    naming,
    resources,
    sorting,
    state,
    strips,
)
from app.atlas_frame import select
from app.caches import comparing
from app.gallery import gallery
from fnprune_core.networks import NetworkAtlas

SECTIONS: dict[str, Callable[[NetworkAtlas, int], None]] = {
    "texts": strips.show_texts,
    "course": strips.show_course,
    "statistics": functions.show_statistics,
    "decoding": functions.show_decoding,
    "units": functions.show_units,
}


def toolbar(atlas: NetworkAtlas, network: int, shown: Sequence[int]) -> None:
    """Draw what moves between networks, in the gallery's order, and decides on this one."""
    view = state.view()
    is_dropped = network in view.dropped
    before, after = (arrangement.neighbour(shown, network, step) for step in (-1, 1))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        button("Previous", "arrow_back", "Left", lambda: select(before))
        button("Next", "arrow_forward", "Right", lambda: select(after))
        button(
            "Keep",
            "check",
            "K",
            lambda: state.drop({*view.dropped} - {network}),
            off=not is_dropped,
        )
        button(
            "Prune",
            "content_cut",
            "P",
            lambda: state.drop({*view.dropped, network}),
            off=is_dropped,
        )
        button("Undo", "undo", "U", state.undo, off=not state.can_undo())
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
    driven = components.plain(resources.suggested_name(atlas.id, network))
    given = resources.annotations(atlas.id).of(network).name
    if given:
        st.markdown(f"**{components.plain(given)}**")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Driven by {driven}", width="content")
        earlier = comparing.was(atlas.id).get(network)
        if earlier is not None:
            st.caption(components.plain(earlier.sentence()), width="content")
        for tag in resources.tags(atlas.id)[network]:
            st.badge(
                f"follows {tag.name}: {tag.value:.2g} ({tag.measure})",
                icon=":material/label:",
                color="gray",
            )
    naming.show(atlas, network)


def show_sections(atlas_id: str, network: int) -> None:
    """Draw the choice of what stands below the map, and what is chosen; the rest does not run."""
    with components.explaining():
        chosen = map_options.choose_section()
        SECTIONS[chosen](resources.atlas(atlas_id), network)


opened = atlas_frame.open_atlas(
    "Atlas", "The functional networks of the model, one by one.", picker=False
)
if opened is not None:
    atlas, network = opened
    left, right = st.columns([1, 3], gap="medium")
    with left:
        shown = sorting.arranged(atlas)
        gallery(
            components.tiles(atlas.id, shown),
            selected=network,
            key="gallery",
            on_pick=select,
            tall=True,
        )
    with right:
        components.network_title(network)
        show_identity(atlas, network)
        toolbar(atlas, network, shown)
        maps.show_map(atlas, network)
    st.fragment(show_sections)(atlas.id, network)
