"""A network's map on the page: in the body, or by layers × units."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app.atlas.networks import body, options, picked_unit, thresholds
from app.atlas.networks.options import MapOptions
from app.figures.base import Picture
from app.figures.maps import MAP_COLUMNS, add_experts, network_map, unit_at
from app.shell import glossary, recipes, resources, session_state, view_fields, view_state
from app.shell.caches import atlas_maps, directions, trust
from app.shell.caches import networks as network_page
from app.widgets import atlas_frame, browser_events, frame
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

VIEWS = dict(zip(view_fields.MAP_VIEWS, ("Body", "Layers"), strict=True))
#: Sections below the map that show the threshold: a move of the slider draws them anew.
_FOLLOW_THRESHOLD = ("statistics", "decoding", "units")
_VIEW = "atlas-view"
_DRAWN = "threshold and pole that the sections show"
_PLACE_HELP = (
    "In the body each layer is a sheet on which units of the same network lie together, for units "
    "have no anatomical neighbours. Layers shows every unit by layer instead."
)


def show_map(atlas: NetworkAtlas, network: int) -> None:
    """Draw the selected network's map and facts; what is changed here runs by itself."""
    # Threshold, unit and pole of the last run: a section that shows them must be drawn again.
    view = view_state.view()
    session_state.remember(_DRAWN, (view.z, view.unit, options.options().pole))
    st.fragment(_draw_map)(atlas.id, network)


def _draw_map(atlas_id: str, network: int) -> None:
    if view_state.view().network != network:  # a name in the picture was pressed
        st.rerun()
    with frame.explaining():
        atlas = resources.atlas(atlas_id)
        has_places = resources.cortex(atlas.id) is not None
        row = st.container(horizontal=True, vertical_alignment="center", gap="small")
        with row:
            map_view, map_options = _choose(atlas, network, has_places=has_places)
        if map_view == "body" and not has_places:
            if atlas.decomposition.settings.get("scope") != "layer":
                atlas_frame.offer_cortex(atlas)
            map_view = "layers"
        if map_view == "layers":
            z = atlas_frame.threshold("atlas-z", tip=atlas_frame.ONE_MAP)
            layers(atlas, network, z, map_options)
        else:
            z = view_state.view().z  # the viewer's own slider needs no run of the page
            limit = body.pooled_limit(atlas, network, z, map_options)
            body.show_body(atlas, network, z=z, limit=limit, map_options=map_options)
        with row:  # after the picture, which does not wait until thresholds are fitted
            thresholds.offer(atlas, network)
        with st.container(horizontal=True):
            show_facts(atlas, network, z, map_options.pole)
        if map_options.section != "units":  # that section draws the picked unit itself
            picked_unit.unit_card(atlas, network, key="map-unit")
        drawn_z, drawn_unit, drawn_pole = session_state.widget(_DRAWN)
        must_rerun = z != drawn_z and map_options.section in _FOLLOW_THRESHOLD
        must_rerun |= view_state.view().unit != drawn_unit and map_options.section == "units"
        if must_rerun or map_options.pole != drawn_pole:
            st.rerun()


def _choose(atlas: NetworkAtlas, network: int, *, has_places: bool) -> tuple[str, MapOptions]:
    """Draw the view, the poles, and what is changed less often; return them."""
    map_options = options.options()
    viewed = view_state.view().map
    map_view = choose("View", VIEWS, key=_VIEW, default=viewed, help=_PLACE_HELP)
    view_state.change(map=map_view)
    pole = choose("Poles", options.POLES, key="atlas-pole", default=map_options.pole)
    if map_view == "body" and has_places:
        with st.popover("Together with", icon=":material/layers:"):
            choose_beside(atlas, network)
    by_index = map_options.by_index
    with st.popover("Colours", icon=":material/palette:"):
        same_colours = st.toggle(
            "Same colours in all networks",
            not map_options.own_range,
            key="atlas-range",
            help="Off: the strongest colour is this network's own strongest unit.",
        )
        if map_view == "layers":
            by_index = st.toggle(
                "By expert" if atlas.layout.expert_sizes else "By index",
                by_index,
                key="atlas-order",
                help="Off: units are grouped by network, for their order in a layer means nothing.",
            )
    options.change(pole=pole, own_range=not same_colours, by_index=by_index)
    return map_view, options.options()


def show_facts(atlas: NetworkAtlas, network: int, z: float, pole: int) -> None:
    """Draw a network's measures."""
    row = trust.network_table(atlas.id).iloc[network]
    reproducibility = row.get("reproducibility", float("nan"))
    is_measured = reproducibility == reproducibility
    more = "The Trust page has more." if is_measured else "The Trust page measures it."
    st.metric(
        "Split-half r",
        f"{reproducibility:.2f}" if is_measured else "not measured",
        help=f"{glossary.tip('reproducibility')}  \n{more}",
    )
    st.metric(
        "Alone explains", f"{100 * row['variance_alone']:.2f} %", help=glossary.tip("variance")
    )
    if (found := directions.beside(atlas.id, "variance")) is not None:
        st.caption(found.text(network, "{:.2f} %"))
    st.metric("Peak layer", f"{row['peak_layer']}", help=glossary.tip("slice"))
    if pole:
        n_units = network_page.pole_facts(atlas.id, network, pole, z)["n_units"]
        beyond = f"above {z:g}" if pole > 0 else f"below −{z:g}"
        st.metric(f"Units {beyond}", f"{n_units:,}", help=glossary.tip("voxel"))
        return
    n_units = resources.n_members(atlas.id, network, z)
    st.metric(f"Units beyond {z:g}", f"{n_units:,}", help=glossary.tip("voxel"))
    n_members = "not measured"
    if atlas.known_members is not None:
        n_members = f"{resources.n_members(atlas.id, network, None):,}"
    st.metric("Members", n_members, help=glossary.tip("members"))


def choose_beside(atlas: NetworkAtlas, network: int) -> None:
    """Draw the choice of networks that are drawn together with the selected one."""
    viewed_networks = body.networks_beside(atlas, network)
    networks_beside = st.multiselect(
        "Together with",
        [k for k in range(atlas.n_networks) if k != network],
        default=viewed_networks,
        format_func=lambda k: atlas_frame.label(atlas.id, k),
        max_selections=options.MOST_BESIDE,
        key=f"atlas-beside-{network}",
        placeholder="Draw other networks beside it",
    )
    if tuple(sorted(networks_beside)) != viewed_networks:
        view_state.change(beside=tuple(sorted(networks_beside)))


def of_pole(picture: Picture, pole: int, z: float) -> Picture:
    """Return a picture whose sentence and table speak of one pole only, the one it shows."""
    if not pole:
        return picture
    name = options.POLES[pole].lower()
    sentence = picture.alternative.replace(
        f"|z| above {z:g}", f"z above {z:g}" if pole > 0 else f"z below −{z:g}"
    )
    sign = f"z > {z:g}" if pole > 0 else f"z < −{z:g}"
    table = picture.table.drop(columns="smallest z" if pole > 0 else "largest z", errors="ignore")
    return replace(
        picture,
        alternative=f"The {name} pole alone. {sentence}",
        table=table.rename(columns=lambda column: str(column).replace(f"|z| > {z:g}", sign)),
    )


def layers(atlas: NetworkAtlas, network: int, z: float, map_options: MapOptions) -> None:
    """Draw a network over layers × units, with its depth profile."""
    values = options.of_pole(atlas.layer_map(network), map_options.pole)
    with np.errstate(invalid="ignore"):
        profile = np.nansum(np.abs(values) > z, axis=1) / np.asarray(atlas.layout.widths)
    labels = None if map_options.by_index else atlas_maps.grouping(atlas.id)
    picture = network_map(
        values,
        profile,
        network=network,
        threshold=z,
        limit=body.pooled_limit(atlas, network, z, map_options),
        palette=frame.palette(),
        labels=labels,
    )
    if labels is None and atlas.layout.expert_sizes:
        add_experts(picture.figure, atlas.layout.expert_sizes, frame.palette())
    pole = map_options.pole
    name = "layers-pole" if pole else "layers"
    code = recipes.code(name, atlas=atlas.id, network=network, z=z, pole=pole)
    draw_picture(of_pole(picture, pole, z), key="map", made=code)

    def on_pick(curve: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        if curve == 0 and x is not None and y is not None:
            layer = round(y)
            index = unit_at(values, labels, layer, round(x), n_columns=MAP_COLUMNS)
            if index is not None:
                picked_unit.pick_unit(int(atlas.layout.flat(layer, index)))

    browser_events.pick_cells("map-pick", chart="map", on_pick=on_pick)
