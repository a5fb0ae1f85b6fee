"""Panels of the Connectome page: matrix and pair, graph, groups, and windows over time."""

from functools import partial

import pandas as pd
import streamlit as st

from app.atlas import random_directions
from app.atlas.connectome import data as cache
from app.atlas.connectome.graph_figures import graph, tree
from app.atlas.connectome.options import MEASURES, ORDERS, PLACES, change, options
from app.figures.markup import signed
from app.figures.matrix import Arrangement, matrix
from app.shell import glossary, recipes, resources, session_state, view_state, wording
from app.shell.caches import directions
from app.widgets import atlas_frame, controls, frame, lasso
from app.widgets.browser_events import pick_cells
from app.widgets.controls import button, choose
from app.widgets.gallery import gallery, tiles
from app.widgets.picture import draw_picture
from fnprune_core.atlas import connectome
from fnprune_core.atlas.chance.directions import HEADLINE
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
        on_select=partial(_select_node, key),
        selection_mode="points",
    )  # fmt: skip


def _select_node(key: str) -> None:
    """Select the network of the node that was pressed in a picture."""
    if rows := lasso.chosen_rows(session_state.widget(key)):
        atlas_frame.select(rows[0])


def show_groups(atlas: NetworkAtlas, network: int) -> None:
    """Draw the tree of groups, their table, and the members of the selected network's group."""
    page_options, z = options(), atlas_frame.units_shown(atlas)
    suggested = cache.groups(atlas.id, page_options.measure, z, 0)
    largest = min(atlas.n_networks, 40)
    n = st.slider(
        f"Number of groups (0: by rule, {suggested.n_groups})",
        0, largest, min(page_options.n_groups, largest), key="connectome-groups",
        help="By rule: the number from 2 to 16 with the largest mean silhouette.",
    )  # fmt: skip
    change(n_groups=n)
    partition = cache.groups(atlas.id, page_options.measure, z, n)
    key = f"connectome-tree-{network}"
    if len(partition.tree):
        draw_picture(
            tree(
                partition.tree, partition.label.tolist(), names=cache.names(atlas.id),
                selected=network, palette=frame.palette(),
            ),
            key=key,
            made=recipes.code(f"connectome-{page_options.measure}", atlas=atlas.id, z=z),
            on_select=partial(_select_node, key),
            selection_mode="points",
        )  # fmt: skip
    if partition.n_groups in partition.silhouette:
        silhouette = partition.silhouette[partition.n_groups]
        st.caption(
            f"Mean silhouette {silhouette:.2f} (1: groups stand apart, 0: they do not). "
            + (
                "The groups are weak: read them as an order, not as kinds. "
                if silhouette < 0.25
                else ""
            )
            + "Ward's clustering of the chosen measure."
        )
    _beside_random(atlas)
    _group_table(atlas, partition, n)
    group = int(partition.label[network])
    st.subheader(f"Group {group}, that of network {network}", anchor=False)
    members = partition.members(group).tolist()
    cards = tiles(atlas.id)
    gallery(
        [cards[k] for k in members], selected=network, key="connectome-members",
        on_pick=atlas_frame.select, name=f"Networks of group {group}",
    )  # fmt: skip


def _beside_random(atlas: NetworkAtlas) -> None:
    """Draw the silhouette of networks' groups beside that of random directions' groups."""
    random_directions.offer(atlas, key="connectome")
    totals = directions.totals(atlas.id)
    if options().measure != "fnc" or "silhouette" not in totals.get("networks", {}):
        return
    own = totals["networks"]["silhouette"]
    others = {kind: each["silhouette"] for kind, each in totals.items() if kind != "networks"}
    text = (
        f"By rule, networks have a silhouette of {own:.2f}, and as many random directions "
        + ", ".join(f"{value:.2f} ({kind})" for kind, value in others.items())
        + f", a difference of {signed(own - others[HEADLINE], '+.2f')} to the first."
    )
    if own <= max(others.values()):
        st.warning(
            f"**Groups are no clearer than those of random directions.** {text}",
            icon=":material/casino:",
        )
    else:
        st.caption(text)


def _group_table(atlas: NetworkAtlas, partition: Groups, n_groups: int) -> None:
    """List the groups; a row selects the first network of its group."""
    page_options = options()
    table = cache.group_table(
        atlas.id, page_options.measure, atlas_frame.units_shown(atlas), n_groups
    )
    controls.table(
        pd.DataFrame(
            {
                "group": table["group"],
                "networks": [", ".join(str(k) for k in members) for members in table["networks"]],
                "within": table["within"].round(2) + 0.0,  # no −0.00
                "outside": table["outside"].round(2) + 0.0,
                "domain": [
                    f"{100 * share:.0f} % {name}"
                    for share, name in zip(table["domain_share"], table["domain"], strict=True)
                ],
                "peak layers": [
                    f"{a} to {b}"
                    for a, b in zip(table["first_layer"], table["last_layer"], strict=True)
                ],
                "words": [", ".join(repr(w)[1:-1] for w in words) for words in table["words"]],
            }
        ),
        key=f"connectome-group-rows-{view_state.view().network}",
        on_row=lambda row: atlas_frame.select(int(partition.members(row)[0])),
        alt=f"{len(table)} groups of networks and what their members share",
        columns={
            "within": ("mean within", "%.2f"),
            "outside": ("to others", "%.2f"),
            "domain": "most energy in",
            "words": ("words they share", "", "Among 20 strongest tokens of two members or more."),
        },
    )
