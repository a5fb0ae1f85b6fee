"""Groups of networks: how many, which, and beside those of random directions."""

from functools import partial

import pandas as pd
import streamlit as st

from app.atlas import random_directions
from app.atlas.connectome import data as cache
from app.atlas.connectome.graph_figures import tree
from app.atlas.connectome.options import change, options
from app.atlas.connectome.panels import select_node
from app.figures.markup import signed
from app.shell import recipes, view_state
from app.shell.caches import directions
from app.widgets import atlas_frame, controls, frame
from app.widgets.gallery import gallery, tiles
from app.widgets.picture import draw_picture
from fnprune_core.atlas.chance.directions import HEADLINE
from fnprune_core.atlas.connectome import Groups
from fnprune_core.atlas.network_atlas import NetworkAtlas


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
            on_select=partial(select_node, key),
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
