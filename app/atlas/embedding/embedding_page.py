"""Embedding page: units and networks in the plane, those that behave alike as neighbours."""

import streamlit as st

from app.atlas.atlas_tasks import embed
from app.figures.embedding.networks import networks_map
from app.figures.embedding.units import Colouring, units_map
from app.shell import recipes
from app.shell.caches import embedding as cache
from app.widgets import atlas_frame, frame, job_progress, lasso
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

SHOWN = {
    "network": "Units by network",
    "layer": "Units by layer",
    "domain": "Units by domain",
    "maps": "Networks by map",
    "courses": "Networks by time course",
}
TOOLS = {"lasso": "Lasso", "select": "Box"}
ALIKE = {"maps": "their maps are alike", "courses": "they are active at the same tokens"}


def offer(atlas: NetworkAtlas) -> None:
    """Offer to compute the embedding."""
    job_progress.offer(
        "embed", "Compute the embedding", "scatter_plot", lambda: embed(atlas=atlas.id),
        kind="primary",
        before="t-SNE lays out up to 8,000 units and all networks. This is done once for an atlas "
        "and takes about 30 seconds.",
    )  # fmt: skip


def show_units(atlas: NetworkAtlas, network: int, *, by: str) -> None:
    """Draw the units; a lasso lists those inside."""
    z = atlas_frame.units_rule(atlas, "embedding-z")
    tool = choose(
        "Select with",
        TOOLS,
        key="embedding-tool",
        default="lasso",
        help="Draw around units to list them; Shift adds, a double click clears.",
        is_labelled=True,
    )
    placed_units = cache.embedding(atlas.id)
    points = cache.unit_points(atlas.id, z)
    colouring = Colouring(
        by=by,
        names=cache.names(atlas.id),
        domains=atlas.domain_names,
        domain_of=atlas.domain_share().argmax(axis=1).tolist(),
    )
    picture = units_map(
        points,
        colouring=colouring,
        selected=network,
        rule=atlas.rule(z),
        palette=frame.palette(),
    )
    picture.figure.update_layout(dragmode=tool)
    event = draw_picture(
        picture,
        key="embedding-units",
        made=recipes.code("embedding", atlas=atlas.id),
        on_select="rerun",
        selection_mode=("lasso", "box", "points"),
    )
    if placed_units is not None:
        st.caption(placed_units.sampling_rule)
        share, by_chance = placed_units.same_network, placed_units.same_network_chance
        st.caption(
            f"Trustworthiness {placed_units.trustworthiness:.2f} of 1 (1: neighbours in the "
            "picture are neighbours in the data). Of units with |z| above "
            f"{placed_units.settings.z:g}, {100 * share:.0f} % of the 15 nearest share the "
            f"strongest network, {100 * by_chance:.1f} % by chance. A unit is described by "
            "its signed z² in every network, so the two poles of a network lie apart."
        )
    lasso.selected_units(atlas, lasso.chosen_rows(event), z=z)


def show_networks(atlas: NetworkAtlas, network: int, *, by: str) -> None:
    """Draw the networks; a click selects one."""
    z = atlas_frame.units_rule(atlas, "embedding-networks-z", tip="Their number is a point's size.")
    event = draw_picture(
        networks_map(
            cache.network_points(atlas.id, z, by=by),
            selected=network,
            alike=ALIKE[by],
            palette=frame.palette(),
        ),
        key=f"embedding-{by}-{network}",
        made=recipes.code("embedding", atlas=atlas.id),
        on_select="rerun",
        selection_mode="points",
    )
    rows = lasso.chosen_rows(event)
    if rows and rows[0] != network:
        atlas_frame.select(rows[0])
        st.rerun()
    lasso.thumbnails(atlas, network, cache.neighbours(atlas.id, network, by=by))


atlas_and_network = atlas_frame.open_atlas(
    "Embedding", "Units and networks in the plane: those that behave alike lie side by side."
)
if atlas_and_network is not None:
    with frame.explaining():
        if cache.embedding(atlas_and_network[0].id) is None:
            offer(atlas_and_network[0])
        else:
            section = atlas_frame.section(SHOWN, key="embedding-shown")
            show = show_networks if section in ALIKE else show_units
            show(*atlas_and_network, by=section)
