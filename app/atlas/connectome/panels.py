"""Panels of the Connectome page: matrix and pair, graph, groups, and windows over time."""

from functools import partial

import pandas as pd
import streamlit as st

from app.atlas.connectome import data as cache
from app.atlas.connectome.graph_figures import graph
from app.atlas.connectome.options import MEASURES, ORDERS, PLACES, change, options
from app.figures.matrix import Arrangement, matrix
from app.shell import glossary, recipes, resources, session_state, view_state, wording
from app.widgets import atlas_frame, controls, frame, lasso
from app.widgets.browser_events import pick_cells
from app.widgets.controls import button, choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas import connectome
from fnprune_core.atlas.connectome import Groups
from fnprune_core.atlas.network_atlas import NetworkAtlas

_HELP = {
    "fnc": "Correlation of the two networks' time courses over all tokens (FNC). Differences "
    "between texts count, too.",
    "within": "The same after each session's mean is taken away: whether they rise and fall "
    "together inside a text.",
    "partial": "Correlation given all other networks, regularised after Ledoit and Wolf: what is "
    "left when indirect paths are taken away.",
    "overlap": "Correlation of |z| over units: whether the same units take part. The maps "
    "themselves are uncorrelated by construction.",
    "dice": "Units of both networks, over the mean size of the two.",
    "jaccard": "Units of both networks, over those of either.",
}


def arranged(atlas: NetworkAtlas) -> tuple[Groups, Arrangement]:
    """Return the groups by the chosen measure, and the chosen order."""
    page_options = options()
    partition = cache.groups(
        atlas.id, page_options.measure, atlas_frame.units_shown(atlas), page_options.n_groups
    )
    return partition, cache.arrangement(atlas.id, page_options.order, partition)


def choose_measure(atlas: NetworkAtlas) -> None:
    """Draw the choice of measure and order; each change goes to the URL."""
    page_options = options()
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        # Six words in a row would be cut off on a phone.
        measure = st.selectbox(
            "Measure", list(MEASURES), format_func=MEASURES.__getitem__,
            index=list(MEASURES).index(page_options.measure), key="connectome-measure",
            help=glossary.tip("fnc"),
        )  # fmt: skip
    change(measure=measure)
    with right:
        if page_options.picture == "matrix":
            order, key = page_options.order, "connectome-order"
            change(order=choose("Order by", ORDERS, key=key, default=order, is_labelled=True))
        elif page_options.picture in ("graph", "body"):
            edges = min(page_options.edges, 20)
            change(
                edges=st.slider("Strongest pairs drawn, %", 1, 20, edges, key="connectome-edges")
            )
    st.caption(_HELP[options().measure])
    if cache.needs_threshold(options().measure):
        atlas_frame.units_rule(atlas, "connectome-z")


def show_matrix(atlas: NetworkAtlas, network: int) -> None:
    """Draw the matrix; beside it the selected network's partners and the chosen pair."""
    page_options, z = options(), atlas_frame.units_shown(atlas)
    _, arrangement = arranged(atlas)
    values = cache.values(atlas.id, page_options.measure, z)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        draw_picture(
            matrix(
                values,
                arrangement,
                names=cache.names(atlas.id),
                measure=cache.MEASURES[page_options.measure],
                selected=network,
                palette=frame.palette(),
            ),
            key="connectome-matrix",
            made=recipes.code(f"connectome-{page_options.measure}", atlas=atlas.id, z=z),
        )

    def select_pair(_: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        if x is not None and y is not None:
            a, b = (arrangement.order[round(v)] for v in (y, x))
            view_state.change(network=a, beside=(b,) if a != b else ())

    pick_cells("connectome-pick", chart="connectome-matrix", on_pick=select_pair)
    with right:
        show_partners(atlas, network)
        show_pair(atlas, network)


def show_partners(atlas: NetworkAtlas, network: int) -> None:
    """List the selected network's strongest partners; a row chooses the pair."""
    page_options, names = options(), cache.names(atlas.id)
    values = cache.values(atlas.id, page_options.measure, atlas_frame.units_shown(atlas))
    partners = [int(k) for k in connectome.partners(values, network)]
    measure = cache.MEASURES[page_options.measure]
    st.markdown(f"**Strongest partners of network {network}**")
    controls.table(
        pd.DataFrame(
            {
                "network": partners,
                "name": [names[k] for k in partners],
                "value": [float(values[network, k]) for k in partners],
            }
        ),
        key=f"connectome-partners-{network}-{page_options.measure}",
        on_row=lambda row: view_state.change(beside=(partners[row],)),
        alt=f"Networks with the largest |{measure.says}| to network {network}",
        columns={
            "network": st.column_config.NumberColumn("no.", width=44),
            "name": st.column_config.TextColumn("partner", width="medium"),
            "value": st.column_config.NumberColumn(measure.says, format="%.2f", width=70),
        },
    )


def show_pair(atlas: NetworkAtlas, network: int) -> None:
    """Draw all measures of the chosen pair: the one picked, else with the strongest partner."""
    values = cache.values(atlas.id, options().measure, atlas_frame.units_shown(atlas))
    networks_beside = [k for k in view_state.view().beside if k < atlas.n_networks and k != network]
    candidates = networks_beside[:1] or connectome.partners(values, network, n=1).tolist()
    if not candidates:
        return
    other = int(candidates[0])
    label = wording.plain(atlas_frame.label(atlas.id, other))
    st.markdown(f"**With {label}**")
    st.table(
        cache.pair_facts(atlas.id, network, other, atlas_frame.units_shown(atlas)).set_index(
            "measure"
        ),
        border="horizontal",
    )
    button(
        f"Look at network {other}",
        "arrow_forward",
        key="connectome-swap",
        does=lambda: view_state.change(network=other, beside=(network,)),
    )


def show_graph(atlas: NetworkAtlas, network: int) -> None:
    """Draw the graph; a node selects its network."""
    page_options, z = options(), atlas_frame.units_shown(atlas)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        places = choose(
            "Places",
            PLACES,
            key="connectome-places",
            default=page_options.places,
            help="By edges: connected networks are drawn together; distances are no measurement. "
            "Nodes that would cover each other are moved apart.",
            is_labelled=True,
        )
        by_domain = choose(
            "Colour",
            {False: "Group", True: "Domain"},
            key="connectome-colour",
            default=page_options.by_domain,
            is_labelled=True,
        )
    change(places=places, by_domain=by_domain)
    page_options = options()
    if page_options.places == "cortex" and resources.cortex(atlas.id) is None:
        st.caption("This atlas has no cortex yet, so the networks stand by their edges.")
    partition, _ = arranged(atlas)
    key = f"connectome-graph-{network}"
    draw_picture(
        graph(
            cache.values(atlas.id, page_options.measure, z),
            cache.edges(atlas.id, page_options.measure, z, page_options.edges),
            cache.nodes(
                atlas.id, page_options.measure, z, percent=page_options.edges,
                in_cortex=page_options.places == "cortex",
                classes=None if page_options.by_domain else partition,
            ),
            measure=cache.MEASURES[page_options.measure],
            selected=network,
            palette=frame.palette(),
        ),
        key=key,
        made=recipes.code(f"connectome-{page_options.measure}", atlas=atlas.id, z=z),
        on_select=partial(select_node, key),
        selection_mode="points",
    )  # fmt: skip


def select_node(key: str) -> None:
    """Select the network of the node that was pressed in a picture."""
    if rows := lasso.chosen_rows(session_state.widget(key)):
        atlas_frame.select(rows[0])
