"""Atlas: each network's map, depth, time course, passages and domains."""

from collections.abc import Callable

import streamlit as st

from app import atlas_frame, components, figures, maps, resources, state, strips
from app.atlas_frame import select
from app.gallery import gallery
from fnprune_core.networks import NetworkAtlas


def toolbar(atlas: NetworkAtlas, network: int) -> None:
    """Draw what moves between networks and decides on this one."""
    view = state.view()
    n, is_dropped = atlas.n_networks, network in view.dropped
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        button("Previous", "arrow_back", "Left", lambda: select((network - 1) % n))
        button("Next", "arrow_forward", "Right", lambda: select((network + 1) % n))
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
    name = components.plain(resources.network_name(atlas.id, network))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Driven by {name}", width="content")
        for tag in resources.tags(atlas.id)[network]:
            st.badge(
                f"follows {tag.name}: {tag.value:.2g} ({tag.measure})",
                icon=":material/label:",
                color="gray",
            )


def show_facts(atlas: NetworkAtlas, network: int) -> None:
    """Draw a network's numbers."""
    row = resources.network_table(atlas.id).iloc[network]
    with st.container(horizontal=True):
        if row["stability"] == row["stability"]:
            st.metric("Stability (Iq)", f"{row['stability']:.2f}")
        st.metric("Alone explains", f"{row['variance_alone']:.2%}")
        st.metric("Peak layer", f"{row['peak_layer']}")
        z = state.view().z
        st.metric(f"Units beyond {z:g}", f"{resources.n_members(atlas.id, network, z):,}")


def show_function(atlas: NetworkAtlas, network: int) -> None:
    """Draw what a network does: its passages, domains and time course."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Strongest passages", anchor=False)
        strips.passages(atlas, network)
    with right:
        st.subheader("Domains", anchor=False)
        components.picture(
            figures.domain_bars(
                atlas.domain_share()[network], atlas.domain_names, palette=components.palette()
            ),
            key="domains",
        )
        st.subheader("Strongest words", anchor=False)
        strips.top_words(atlas, network)
    st.subheader("Time course", anchor=False)
    strips.time_course(atlas, network)


opened = atlas_frame.open_atlas(
    "Atlas", "The functional networks of the model, one by one.", picker=False
)
if opened is not None:
    atlas, network = opened
    left, right = st.columns([1, 3], gap="medium")
    with left:
        gallery(
            components.tiles(atlas.id), selected=network, key="gallery", on_pick=select, tall=True
        )
    with right:
        components.network_title(network)
        show_identity(atlas, network)
        toolbar(atlas, network)
        show_facts(atlas, network)
        maps.show_map(atlas, network)
    show_function(atlas, network)
