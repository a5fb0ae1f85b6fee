"""Panels of the Parcellation page: its options in the URL, its pictures, its legend."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.atlas.parcellation import data as cache
from app.atlas.parcellation.figures import Look
from app.figures.maps import parcellation_map
from app.shell import recipes, resources, view_state, wording
from app.shell.caches import directions
from app.shell.codec import flag, parameter
from app.shell.images import addresses, places
from app.shell.images import files as images
from app.widgets import atlas_frame, controls, frame
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.picks import unit_of
from app.widgets.body.scene import Parcels, Scene, Threshold
from app.widgets.body.scenes import atlas_scene, greys
from app.widgets.body.viewer import Pick
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas

_KEY = "parcels-viewer"
_NOTE = (
    "For the eye, every map is smoothed and each place has the colour of its strongest network; "
    "without smoothing, that of its unit. The table and the sentence count single units. "
    f"{PLACES}"
)


_ABOUT_DIRECTIONS = (
    "Permuted: as many units of each layer as each network has, by chance. Rotated: other axes of "
    "the space that the maps span, at the same threshold. A share near that of permuted ones tells "
    "how large networks are, and nothing of where; a larger Dice says that they share units more "
    "than by chance."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelOptions:
    """Options of the Parcellation page, beside network, threshold and view.

    Parameters
    ----------
    only : bool
        Whether all but the selected network fade.
    """

    only: bool = parameter(flag("only"), False)


def options() -> ParcelOptions:
    """Return the options of the present view."""
    return view_state.page_options(ParcelOptions)


def change(**fields: Any) -> None:
    """Change options, and with them the URL."""
    view_state.change_options(ParcelOptions, **fields)


def show_body(atlas: NetworkAtlas, look: Look, z: float | None, network: int) -> None:
    """Draw the regions in the body; a press selects a region's network and its unit."""
    note.draw(
        scene(atlas, look, z, network),
        lambda: sizes(atlas, look, z),
        key=_KEY,
        on_pick=lambda pick: take_pick(atlas, pick),
        file=f"fnprune-parcels-{atlas.id[:8]}-{'members' if z is None else f'z{z:g}'}",
        made=recipes.code("parcellation", atlas=atlas.id, z=z),
        about=_NOTE,
    )


def scene(atlas: NetworkAtlas, look: Look, z: float | None, network: int) -> Scene:
    """Return what the viewer shows: each region in its network's colour, with its outline.

    Parameters
    ----------
    z : float or None
        As of the legend beside it. Of members, there is no threshold to be moved.
    """
    rule = {"members": 1} if z is None else {}

    def at_each_smoothing(part: str) -> dict[int, str]:
        names = {fwhm: f"parcels/{fwhm}/{part}.nii.gz" for fwhm in images.FWHMS}
        return {fwhm: addresses.atlas_url(atlas.id, name, **rule) for fwhm, name in names.items()}

    return atlas_scene(
        atlas.id,
        "parcels",
        greys=greys(atlas),
        overlays=(
            Parcels(
                labels=at_each_smoothing("labels"),
                strengths=at_each_smoothing("strengths"),
                colours=look.colours,
                names=[f"{k} · {name}" for k, name in enumerate(look.names)],
                only=look.only,
            ),
        ),
        threshold=None if z is None else Threshold(value=z),
        at=places.of_network(atlas.id, network),
        alternative=in_words(atlas, look, z),
        still=addresses.atlas_url(
            atlas.id, "parcels.png", **({"z": DEFAULT_THRESHOLD, **rule} if rule else {})
        ),
        without="The table opens the networks.",
        hint="Press selects the network.",
        family="parcels",
        fwhm=6.0,
        name="Parcellation in the body",
    )


def take_pick(atlas: NetworkAtlas, pick: Pick) -> None:
    """Select the network of the pressed region, and the unit in the pressed voxel."""
    unit = unit_of(atlas.id, pick)
    if unit is None:
        return
    is_network = pick.item is not None and 0 <= pick.item < atlas.n_networks
    view_state.change(unit=unit, **({"network": pick.item} if is_network else {}))


def in_words(atlas: NetworkAtlas, look: Look, z: float | None) -> str:
    """Return how many units belong to a network, and which has most."""
    units, n_units = cache.parcel_table(atlas.id, z)["units"].to_numpy(), atlas.layout.n_units
    largest = int(units.argmax())
    if not units.any():
        return f"Parcellation: no unit belongs to any network ({atlas.rule(z)})."
    return (
        f"Parcellation: {100 * (units.sum() / n_units):.0f} % of {n_units:,} units belong to "
        f"one of {len(units)} networks ({atlas.rule(z)}); the largest parcel, "
        f"of {units[largest]:,} units, is network {largest}, {look.names[largest]}."
    )


def sizes(atlas: NetworkAtlas, look: Look, z: float | None) -> pd.DataFrame:
    """Return one row per network: its name, its units, and their share of all."""
    units = cache.parcel_table(atlas.id, z)["units"].to_numpy()
    return pd.DataFrame(
        {
            "network": range(len(units)),
            "name": list(look.names),
            "units": units,
            "share of all units": (units / atlas.layout.n_units).round(4),
        }
    )


def show_layers(atlas: NetworkAtlas, look: Look, z: float | None) -> None:
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


def legend(atlas: NetworkAtlas, look: Look, z: float | None, network: int) -> None:
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
    controls.table(
        table.style.apply(lambda _: swatches, subset=["colour"]).apply(
            lambda _: marks, subset=["name"]
        ),
        height=560,
        key=f"parcels-legend-{network}-{z}",
        on_row=lambda row: atlas_frame.select(order[row]),
        alt=f"Parcels of {len(order)} networks, largest first: colour, size and layers of each",
        columns={
            "colour": st.column_config.TextColumn("", width=28, help="Colour in the pictures"),
            "network": st.column_config.NumberColumn("no.", width=36),
            "name": st.column_config.TextColumn("network", width=130),
            "units": st.column_config.NumberColumn("units", format="localized", width=50),
            "peak": st.column_config.NumberColumn(
                "peak", width=46, help="Layer of its strongest unit"
            ),
            "by layer": st.column_config.BarChartColumn(
                "by layer", width=78, color=frame.palette().quiet
            ),
        },
    )


def selected_facts(atlas: NetworkAtlas, look: Look, z: float | None, network: int) -> None:
    """Draw how many units the selected network holds, and how many are stronger elsewhere."""
    row = cache.parcel_table(atlas.id, z).iloc[network]
    n_beyond = resources.n_members(atlas.id, network, z)
    n_units = int(row["units"])
    n_lost = n_beyond - n_units
    st.caption(
        f"Network {network} holds {wording.count(n_units, 'unit')} as their strongest; "
        f"its peak is in layer {int(row['peak_layer'])}. "
        f"{wording.count(n_lost, 'more unit')} of its own ({atlas.rule(z)}) "
        f"{'is' if n_lost == 1 else 'are'} stronger in another network."
    )
    st.caption(directions.parcels(atlas.id, z), help=_ABOUT_DIRECTIONS)
