"""A network's map on the page: cortex slices, three sides, 3-D, or layers × units."""

import streamlit as st

from app import components, figures, recipes, resources, state, tasks
from fnprune_core.networks import NetworkAtlas

TITLES = ("Slices", "Three sides", "3-D", "Layers")
VIEWS = dict(zip(state.MAP_VIEWS, TITLES, strict=True))


def show_map(atlas: NetworkAtlas, network: int) -> None:
    """Draw the selected network's map with its threshold and the choice of view."""
    view = state.view()
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    z = left.slider(
        "Threshold |z|",
        *state.Z_RANGE,
        view.z,
        0.1,
        key="atlas-z",
        help="z over the units of this map; not a test over subjects.",
    )
    if z != view.z:
        state.change(z=z)
    chosen = right.segmented_control(
        "View",
        list(VIEWS),
        format_func=VIEWS.__getitem__,
        default=view.map,
        required=True,
        key="atlas-view",
        help="Neurons have no anatomical neighbours. In the cortex each layer is laid out as a "
        "sheet so that units of the same network lie together, and a network is at the same "
        "place in neighbouring layers. Layers shows every unit by layer instead.",
    )
    if chosen is not None and chosen != view.map:
        state.change(map=chosen)
    shown = chosen or view.map
    if shown == "layers" or resources.cortex(atlas.id) is None:
        if shown != "layers" and atlas.decomposition.settings.get("scope") != "layer":
            offer_cortex(atlas)
        layers(atlas, network, z)
    else:
        cortex(atlas, network, z, shown)
    suggestions(atlas, network)


def offer_cortex(atlas: NetworkAtlas) -> None:
    """Offer to lay out the cortex of an atlas that has none."""
    components.follow("lay_out", on_done=lambda job: state.notify("The cortex is laid out"))
    if components.is_active("lay_out"):
        return
    st.caption("The units of this atlas have no places yet: until then, its layers are shown.")
    if st.button("Lay out the cortex", icon=":material/grid_on:", key="atlas-lay-out"):
        components.start(tasks.lay_out(resources.workspace(), atlas=atlas.id))
        st.rerun()


def cortex(atlas: NetworkAtlas, network: int, z: float, shown: str) -> None:
    """Draw a network on the cortex."""
    volume, indices = resources.volume(atlas.id, network), resources.unit_indices(atlas.id)
    if volume is None or indices is None:
        return
    palette, limit = components.palette(), resources.colour_limit(atlas.id, z)
    if shown == "3d":
        picture = figures.cortex_surfaces(
            [resources.soft_volume(atlas.id, network)],
            networks=[network],
            n_networks=atlas.n_networks,
            palette=palette,
        )
    elif shown == "sides":
        picture = figures.cortex_projections(
            volume, network=network, threshold=z, limit=limit, palette=palette
        )
    else:
        picture = figures.cortex_slices(
            volume, indices, network=network, threshold=z, limit=limit, palette=palette
        )
    made = recipes.code(
        "surfaces" if shown == "3d" else "cortex", atlas=atlas.id, network=network, z=z
    )
    components.picture(picture, key=f"map-{shown}", made=made)


def layers(atlas: NetworkAtlas, network: int, z: float) -> None:
    """Draw a network over layers × units, with its depth profile."""
    components.picture(
        figures.network_map(
            atlas.layer_map(network),
            atlas.depth_profile(network, z=z),
            network=network,
            threshold=z,
            limit=resources.colour_limit(atlas.id, z),
            palette=components.palette(),
            labels=resources.grouping(atlas.id),
        ),
        key="map",
        made=recipes.code("layers", atlas=atlas.id, network=network, z=z),
    )


def suggestions(atlas: NetworkAtlas, network: int) -> None:
    """Offer thresholds: by the mixture, by false discovery rate, by share."""
    with st.popover("Suggested thresholds", icon=":material/tune:"):
        st.caption(
            "A Gaussian and two Gammas are fitted to this map's z, as MELODIC does: the Gaussian "
            "stands for units that take no part. A threshold on a map is not a test over subjects."
        )
        for each in resources.suggested_thresholds(atlas.id, network):
            if each.threshold != each.threshold:
                st.markdown(f"{each.rule}: no unit qualifies")
                continue
            st.button(
                f"{each.rule}: |z| > {each.threshold:.2f}, {each.n_units:,} units",
                key=f"threshold-{each.rule}",
                on_click=set_threshold,
                args=(each.threshold,),
                width="stretch",
            )


def set_threshold(threshold: float) -> None:
    """Move the slider."""
    low, high = state.Z_RANGE
    z = round(min(max(threshold, low), high), 1)
    state.change(z=z)
    state.remember("atlas-z", z)
