"""Panels of the Parcellation page: its options in the URL, its pictures, its legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.atlas.parcellation import data as cache
from app.atlas.parcellation.figures import (
    Look,
    parcel_sides,
    parcel_slices,
    parcel_surfaces,
    pooled,
)
from app.figures.cortex import fit_narrow
from app.figures.maps import cell_at
from app.figures.networks import parcellation_map
from app.shell import recipes, resources, view_state, wording
from app.shell.codec import flag, lettered, parameter
from app.widgets import atlas_frame, browser_events, frame
from app.widgets.browser_events import pick_cells
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

MOST_SURFACES = 32
LEVEL = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelOptions:
    """Options of the Parcellation page, beside network, threshold and view.

    Parameters
    ----------
    n_surfaces : int
        How many of the largest parcels are drawn in 3-D.
    only : bool
        Whether all but the selected network fade.
    """

    n_surfaces: int = parameter(lettered("n", 1, MOST_SURFACES), 12)
    only: bool = parameter(flag("only"), False)


def options() -> ParcelOptions:
    """Return the options of the present view."""
    return view_state.page_options(ParcelOptions)


def change(**fields: Any) -> None:
    """Change options, and with them the URL."""
    view_state.change_options(ParcelOptions, **fields)


def show_slices(atlas: NetworkAtlas, look: Look, z: float) -> None:
    """Draw the sheets; a click on a unit selects it and its network."""
    parcels = cache.parcels(atlas.id, z)
    draw_picture(
        parcel_slices(parcels, look, palette=frame.palette(), threshold=z),
        key="parcels-slices",
        made=recipes.code("parcellation", atlas=atlas.id, z=z),
    )
    pooled_parcels = pooled(parcels)

    def select_cell(_: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        cell = None if x is None or y is None else cell_at(pooled_parcels.label.shape, x, y)
        if cell is not None and pooled_parcels.unit[cell] >= 0:
            unit = int(atlas.layout.flat(cell[0], int(pooled_parcels.unit[cell])))
            network = int(pooled_parcels.label[cell])
            view_state.change(unit=unit, **({"network": network} if network >= 0 else {}))

    pick_cells("parcels-pick", chart="parcels-slices", on_pick=select_cell)


def show_sides(atlas: NetworkAtlas, look: Look, z: float) -> None:
    """Draw the parcels from three sides."""
    draw_picture(
        parcel_sides(cache.parcels(atlas.id, z), look, palette=frame.palette(), threshold=z),
        key="parcels-sides",
        made=recipes.code("parcellation", atlas=atlas.id, z=z),
    )


def show_surfaces(atlas: NetworkAtlas, look: Look, z: float, network: int) -> None:
    """Draw the largest parcels, and the selected one, in 3-D."""
    n_most = min(MOST_SURFACES, atlas.n_networks)
    n = st.slider(
        "Largest parcels",
        1,
        n_most,
        min(options().n_surfaces, n_most),
        key="parcels-n",
        help="The selected network is drawn in any case.",
    )
    if n != options().n_surfaces:
        change(n_surfaces=n)
    units = cache.parcel_table(atlas.id, z)["units"]
    largest_networks = [int(k) for k in units.sort_values(ascending=False, kind="stable").index[:n]]
    shown_networks = (
        largest_networks if network in largest_networks else [*largest_networks, network]
    )
    picture = parcel_surfaces(
        [cache.soft_parcel(atlas.id, z, k) for k in shown_networks],
        shown_networks,
        look,
        palette=frame.palette(),
        level=LEVEL,
    )
    if browser_events.is_narrow():
        fit_narrow(picture.figure)
    draw_picture(
        picture,
        key="parcels-3d",
        made=recipes.code("parcel-surfaces", atlas=atlas.id, z=z, network=network),
    )


def show_layers(atlas: NetworkAtlas, look: Look, z: float) -> None:
    """Draw the networks that each layer's units belong to."""
    draw_picture(
        parcellation_map(
            cache.by_layer(atlas.id, z),
            n_networks=atlas.n_networks,
            palette=frame.palette(),
            colours=look.drawn_colours(frame.palette()),
            names=look.names,
        ),
        key="parcels-layers",
        made=recipes.code("parcellation", atlas=atlas.id, z=z),
    )


def legend(atlas: NetworkAtlas, look: Look, z: float, network: int) -> None:
    """Draw the table of parcels, largest first; a row selects its network."""
    parcels = cache.parcel_table(atlas.id, z).sort_values("units", ascending=False, kind="stable")
    order = parcels["network"].tolist()
    table = pd.DataFrame(
        {
            "colour": ["" for _ in order],
            "network": order,
            "name": [look.names[k] for k in order],
            "units": parcels["units"].to_numpy(),
            "peak": parcels["peak_layer"].to_numpy(),
            "by layer": parcels["by_layer"].tolist(),
        }
    )
    swatches = [f"background-color: {look.colours[k]}" for k in order]
    marks = ["font-weight: 700" if k == network else "" for k in order]
    key = f"parcels-legend-{network}-{z:g}"

    def select_network() -> None:
        rows: Sequence[int] = view_state.widget(key)["selection"]["rows"]
        if rows:
            atlas_frame.select(order[rows[0]])

    st.dataframe(
        table.style.apply(lambda _: swatches, subset=["colour"]).apply(
            lambda _: marks, subset=["name"]
        ),
        hide_index=True,
        height=560,
        key=key,
        on_select=select_network,
        selection_mode="single-row",
        alt=f"Parcels of {len(order)} networks, largest first: colour, size and layers of each",
        column_config={
            "colour": st.column_config.TextColumn("", width=28, help="Colour in the pictures"),
            "network": st.column_config.NumberColumn("no.", width=36),
            "name": st.column_config.TextColumn("network", width=130),
            "units": st.column_config.NumberColumn("units", format="localized", width=50),
            "peak": st.column_config.NumberColumn(
                "peak", width=46, help="Layer with most of its units; −1: none"
            ),
            "by layer": st.column_config.BarChartColumn(
                "by layer", width=78, color=frame.palette().quiet
            ),
        },
    )


def selected_facts(atlas: NetworkAtlas, look: Look, z: float, network: int) -> None:
    """Draw how many units the selected network holds, and how many are stronger elsewhere."""
    row = cache.parcel_table(atlas.id, z).iloc[network]
    n_beyond = resources.n_members(atlas.id, network, z)
    n_units = int(row["units"])
    place_text = f", most in layer {int(row['peak_layer'])}" if n_units else ""
    n_lost = n_beyond - n_units
    st.caption(
        f"Network {network} holds {wording.count(n_units, 'unit')} as their strongest{place_text}; "
        f"{wording.count(n_lost, 'more unit')} beyond |z| {z:g} "
        f"{'is' if n_lost == 1 else 'are'} stronger in another network."
    )
