"""A network's map on the page: slices, three sides, 3-D, layers × units, or in the body."""

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.atlas.networks import body, options, picked_unit
from app.atlas.networks.options import MapOptions
from app.figures import maps
from app.figures.base import Picture
from app.figures.cortex import cortex_surfaces, fit_narrow
from app.figures.maps import cell_at, mark_cell, unit_at
from app.figures.networks import MAP_COLUMNS, network_map
from app.shell import glossary, recipes, resources, view_state
from app.shell.caches import networks as network_page
from app.widgets import atlas_frame, browser_events, frame
from app.widgets.atlas_frame import offer_cortex
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

TITLES = ("Slices", "Three sides", "3-D", "Layers", "Body")
VIEWS = dict(zip(view_state.MAP_VIEWS, TITLES, strict=True))
MOST_BESIDE = 5
#: Of all cells inside a surface: fewer are specks, more fill the body, whatever the threshold.
LEAST_SHARE, MOST_SHARE = 0.002, 0.15
#: Sections below the map that show the threshold: a move of the slider draws them anew.
_FOLLOW_THRESHOLD = ("statistics", "decoding", "units")
_VIEW = "atlas-view"
_DRAWN = "threshold and pole that the sections show"
_PLACE_HELP = (
    "Neurons have no anatomical neighbours. In the cortex each layer is laid out as a sheet so "
    "that units of the same network lie together, and a network is at the same place in "
    "neighbouring layers. Layers shows every unit by layer instead."
)


def show_map(atlas: NetworkAtlas, network: int) -> None:
    """Draw the selected network's facts and map; what is changed here runs by itself."""
    # Threshold, unit and pole of the last run: a section that shows them must be drawn again.
    view = view_state.view()
    view_state.remember(_DRAWN, (view.z, view.unit, options.options().pole))
    st.fragment(_draw_map)(atlas.id, network)


def _draw_map(atlas_id: str, network: int) -> None:
    with frame.explaining():
        atlas = resources.atlas(atlas_id)
        facts = st.container(horizontal=True)
        z, map_view = _choose_view()
        map_options = _choose_options(atlas, network, map_view)
        with facts:
            show_facts(atlas, network, z, map_options.pole)
        if map_view != "layers" and resources.cortex(atlas.id) is None:
            if atlas.decomposition.settings.get("scope") != "layer":
                offer_cortex(atlas)
            map_view = "layers"
        if map_view == "layers":
            layers(atlas, network, z, map_options)
        elif map_view == "viewer":
            limit = _limit(atlas, network, z, map_options)
            body.show_body(atlas, network, z=z, limit=limit, pole=map_options.pole)
        elif map_view == "3d":
            surfaces(atlas, network, z, map_options.pole)
        else:
            cortex(atlas, network, z, map_view, map_options)
        if map_options.section != "units":  # that section draws the picked unit itself
            picked_unit.unit_card(atlas, network, key="map-unit")
        drawn_z, drawn_unit, drawn_pole = view_state.widget(_DRAWN)
        must_rerun = z != drawn_z and map_options.section in _FOLLOW_THRESHOLD
        must_rerun |= view_state.view().unit != drawn_unit and map_options.section == "units"
        if must_rerun or map_options.pole != drawn_pole:
            st.rerun()


def show_facts(atlas: NetworkAtlas, network: int, z: float, pole: int) -> None:
    """Draw a network's measures."""
    row = resources.network_table(atlas.id).iloc[network]
    reproducibility = row.get("reproducibility", float("nan"))
    if reproducibility == reproducibility:
        st.metric(
            "Split-half r",
            f"{reproducibility:.2f}",
            help=f"{glossary.tip('reproducibility')}  \nThe Trust page has more.",
        )
    elif row["run_agreement"] == row["run_agreement"]:
        st.metric(
            "Agreement of runs",
            f"{row['run_agreement']:.2f}",
            help=f"{glossary.tip('run_agreement')}  \nSeeds alone say little: the Trust page "
            "measures the halves of the documents.",
        )
    st.metric("Alone explains", f"{row['variance_alone']:.2%}", help=glossary.tip("variance"))
    st.metric("Peak layer", f"{row['peak_layer']}", help=glossary.tip("slice"))
    n_units_label = {0: f"Units beyond {z:g}", 1: f"Units above {z:g}", -1: f"Units below −{z:g}"}[
        pole
    ]
    if pole:
        n_units = network_page.pole_facts(atlas.id, network, pole, z)["n_units"]
    else:
        n_units = resources.n_members(atlas.id, network, z)
    st.metric(n_units_label, f"{n_units:,}", help=glossary.tip("voxel"))


def _choose_view() -> tuple[float, str]:
    """Draw the threshold and the choice of view; return both."""
    view = view_state.view()
    if (view_state.widget(_VIEW) or view.map) == "viewer":
        # The viewer has its slider in the browser, where it needs no run of the page.
        z, right = view.z, st.container()
    else:
        left, right = st.columns([1, 1], vertical_alignment="bottom")
        with left:
            z = atlas_frame.threshold("atlas-z", tip=atlas_frame.ONE_MAP)
    chosen = right.segmented_control(
        "View",
        list(VIEWS),
        format_func=VIEWS.__getitem__,
        default=view.map,
        required=True,
        key=_VIEW,
        help=_PLACE_HELP,
    )
    if chosen is not None and chosen != view.map:
        view_state.change(map=chosen)
    return z, chosen or view.map


def _choose_options(atlas: NetworkAtlas, network: int, map_view: str) -> MapOptions:
    """Draw what belongs to a view: pole, colour range, order, networks beside; and suggestions."""
    map_options = options.options()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pole = st.segmented_control(
            "Poles",
            list(options.POLES),
            format_func=options.POLES.__getitem__,
            default=map_options.pole,
            required=True,
            key="atlas-pole",
            label_visibility="collapsed",
        )
        if map_view == "3d":
            choose_beside(atlas, network)
            if (pole or 0) != map_options.pole:
                options.change(pole=pole or 0)
            return replace(map_options, pole=pole or 0)
        same_colours = st.toggle(
            "Same colours in all networks",
            not map_options.own_range,
            key="atlas-range",
            help="On, a colour stands for the same z in every network. Off, the strongest colour "
            "is reached at this network's own strongest units.",
        )
        by_index = map_options.by_index
        if map_view == "layers":
            by_index = st.toggle(
                "By index",
                map_options.by_index,
                key="atlas-order",
                help="A neuron's index means nothing; grouped by network, a network is a tract.",
            )
        suggestions(atlas, network)
    new_options = replace(
        map_options, pole=pole or 0, own_range=not same_colours, by_index=by_index
    )
    if new_options != map_options:
        options.change(pole=new_options.pole, own_range=new_options.own_range, by_index=by_index)
    return new_options


def choose_beside(atlas: NetworkAtlas, network: int) -> None:
    """Draw the choice of networks that are drawn together with the selected one."""
    key = f"atlas-beside-{network}"
    viewed_networks = [k for k in view_state.view().beside if k != network and k < atlas.n_networks]
    networks_beside = st.multiselect(
        "Together with",
        [k for k in range(atlas.n_networks) if k != network],
        default=viewed_networks[:MOST_BESIDE],
        format_func=lambda k: f"{k} · {resources.network_name(atlas.id, k)}",
        max_selections=MOST_BESIDE,
        key=key,
        placeholder="Draw other networks beside it",
        width="stretch",
    )
    if tuple(sorted(networks_beside)) != tuple(viewed_networks):
        view_state.change(beside=tuple(sorted(networks_beside)))


def _limit(atlas: NetworkAtlas, network: int, z: float, map_options: MapOptions) -> float:
    if map_options.own_range:
        return network_page.own_limit(atlas.id, z, network)
    return resources.colour_limit(atlas.id, z)


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


def cortex(
    atlas: NetworkAtlas, network: int, z: float, map_view: str, map_options: MapOptions
) -> None:
    """Draw a network on the cortex, as slices or from three sides."""
    volume, indices = resources.volume(atlas.id, network), resources.unit_indices(atlas.id)
    if volume is None or indices is None:
        return
    values = options.of_pole(volume, map_options.pole)
    palette, limit = frame.palette(), _limit(atlas, network, z, map_options)
    if map_view == "sides":
        picture = maps.cortex_projections(
            values, network=network, threshold=z, limit=limit, palette=palette
        )
    else:
        picture = maps.cortex_slices(
            values, indices, network=network, threshold=z, limit=limit, palette=palette
        )
        cell = _picked_cell(atlas)
        if cell is not None:
            mark_cell(picture, cell, volume.shape, palette)
    key = f"map-{map_view}"
    draw_picture(
        of_pole(picture, map_options.pole, z),
        key=key,
        made=recipes.code(
            "cortex-pole" if map_options.pole else "cortex",
            atlas=atlas.id,
            network=network,
            z=z,
            pole=map_options.pole,
        ),
    )

    def on_pick(curve: int, place: tuple[float | None, ...]) -> None:
        cell = _cell_of(values, map_view, curve, place)
        if cell is not None:
            _pick_cell(atlas, cell)

    browser_events.pick_cells(f"{key}-pick", chart=key, on_pick=on_pick)


def _cell_of(
    volume: NDArray[np.float32], map_view: str, curve: int, place: tuple[float | None, ...]
) -> tuple[int, int, int] | None:
    """Return (layer, row, column) of what was clicked, or None if that is no unit."""
    x, y = place[:2]
    if x is None or y is None:
        return None
    strength = np.abs(np.nan_to_num(volume))
    column_below, row_below = round(x), round(y)
    if map_view == "slices":
        return cell_at(volume.shape, x, y) if curve == 0 else None
    if curve == 0:  # from the front: the strongest of all rows
        return row_below, int(strength[row_below, :, column_below].argmax()), column_below
    if curve == 1:  # from the side: of all columns
        return row_below, column_below, int(strength[row_below, column_below].argmax())
    if curve == 2:  # from above: of all layers
        return int(strength[:, row_below, column_below].argmax()), row_below, column_below
    return None


def _picked_cell(atlas: NetworkAtlas) -> tuple[int, int, int] | None:
    """Return (layer, row, column) of the picked unit."""
    unit, cortex_places = view_state.view().unit, resources.cortex(atlas.id)
    if cortex_places is None or not 0 <= unit < atlas.layout.n_units:
        return None
    layer, row, column = (int(i) for i in cortex_places.position(np.array([unit]))[0])
    return layer, row, column


def _pick_cell(atlas: NetworkAtlas, cell: tuple[int, int, int]) -> None:
    indices = resources.unit_indices(atlas.id)
    if indices is not None and indices[cell] >= 0:
        picked_unit.pick_unit(int(atlas.layout.flat(cell[0], int(indices[cell]))))


def surfaces(atlas: NetworkAtlas, network: int, z: float, pole: int) -> None:
    """Draw the network in 3-D, together with others in their own colours."""
    networks_beside = [k for k in view_state.view().beside if k != network and k < atlas.n_networks]
    networks = [network, *networks_beside[:MOST_BESIDE]]
    volumes = [network_page.soft_volume(atlas.id, k, pole) for k in networks]
    shares = [network_page.share_beyond(atlas.id, k, pole, z) for k in networks]
    drawn_shares = [min(max(share, LEAST_SHARE), MOST_SHARE) for share in shares]
    is_narrow = browser_events.is_narrow()
    picture = cortex_surfaces(
        volumes,
        networks=networks,
        n_networks=atlas.n_networks,
        palette=frame.palette(),
        share=[1 - share for share in drawn_shares],
        names=[f"{k} · {_shortened(resources.network_name(atlas.id, k))}" for k in networks],
        profile=not is_narrow,
    )
    if is_narrow:
        fit_narrow(picture.figure)
    rule = f" As many cells lie inside as units have |z| above {z:g}"
    if drawn_shares != shares:
        rule += f", but at least {LEAST_SHARE:.1%} and at most {MOST_SHARE:.0%} of all"
    picture = replace(picture, alternative=f"{picture.alternative}{rule}.")
    draw_picture(
        of_pole(picture, pole, z),
        key="map-3d",
        made=recipes.code("surfaces", atlas=atlas.id, network=network, z=z, pole=pole),
    )
    st.caption(
        "The body around the networks catches every click here: for a neuron, press it in the "
        "slices, the three sides or the layers."
    )


def _shortened(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def layers(atlas: NetworkAtlas, network: int, z: float, map_options: MapOptions) -> None:
    """Draw a network over layers × units, with its depth profile."""
    values = options.of_pole(atlas.layer_map(network), map_options.pole)
    with np.errstate(invalid="ignore"):
        profile = np.nansum(np.abs(values) > z, axis=1) / np.asarray(atlas.layout.widths)
    labels = None if map_options.by_index else resources.grouping(atlas.id)
    picture = network_map(
        values,
        profile,
        network=network,
        threshold=z,
        limit=_limit(atlas, network, z, map_options),
        palette=frame.palette(),
        labels=labels,
    )
    draw_picture(
        of_pole(picture, map_options.pole, z),
        key="map",
        made=recipes.code(
            "layers-pole" if map_options.pole else "layers",
            atlas=atlas.id,
            network=network,
            z=z,
            pole=map_options.pole,
        ),
    )

    def on_pick(curve: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        if curve == 0 and x is not None and y is not None:
            layer = round(y)
            index = unit_at(values, labels, layer, round(x), n_columns=MAP_COLUMNS)
            if index is not None:
                picked_unit.pick_unit(int(atlas.layout.flat(layer, index)))

    browser_events.pick_cells("map-pick", chart="map", on_pick=on_pick)


def suggestions(atlas: NetworkAtlas, network: int) -> None:
    """Offer thresholds: by the mixture, by false discovery rate, by share."""
    with st.popover("Suggested thresholds", icon=":material/tune:"):
        st.caption(
            "A Gaussian and two Gammas are fitted to this map's z, as MELODIC does: the Gaussian "
            "stands for units that take no part. A threshold on a map is not a test over subjects."
        )
        for suggestion in network_page.suggestions(atlas.id, network):
            if suggestion.threshold != suggestion.threshold:
                st.markdown(f"{suggestion.rule}: no unit qualifies")
                continue
            st.button(
                f"{suggestion.rule}: |z| > {suggestion.threshold:.2f}, "
                f"{suggestion.n_units:,} units",
                key=f"threshold-{suggestion.rule}",
                on_click=body.set_threshold,
                args=(suggestion.threshold,),
                width="stretch",
            )
