"""The picked unit: its place and networks, those under the smoothing there, and its own page."""

import numpy as np
import pandas as pd
import streamlit as st

from app import pages
from app.figures.markup import signed
from app.shell import resources, session_state, view_state, wording
from app.shell.images import files as images
from app.widgets import controls
from app.widgets.body.viewer import Pick
from app.widgets.controls import button
from fnprune_core.atlas.images import smoothing
from fnprune_core.atlas.network_atlas import NetworkAtlas

UNIT_PAGE = pages.path("unit")
_PRESSED = "what was pressed in the body"


def pick_unit(unit: int) -> None:
    """Select a unit in the view."""
    view_state.change(unit=unit)


def press(unit: int, pick: Pick) -> None:
    """Select the unit of a pressed voxel, and keep where and under which smoothing it was."""
    session_state.remember(_PRESSED, (unit, pick))
    pick_unit(unit)


def unit_card(atlas: NetworkAtlas, network: int, *, key: str) -> None:
    """Draw the picked unit in a few words; nothing where none is picked."""
    unit = view_state.view().unit
    if not 0 <= unit < atlas.layout.n_units:
        return
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    values = atlas.maps[:, unit]
    order = np.argsort(-np.abs(values), kind="stable")[:3]
    with st.container(border=True, gap="xsmall", key=f"{key}-card"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**Unit {index} of layer {layer}**{_in_expert(atlas, unit)}, "
                f"z {signed(values[network], '.1f')} in this network",
                width="stretch",
            )
            if st.button("Open the unit", icon=":material/my_location:", key=f"{key}-open"):
                st.switch_page(UNIT_PAGE)
            button(
                "Close", "close", kind="tertiary", key=f"{key}-close", does=pick_unit, args=(-1,)
            )
        strongest = ", ".join(
            f"{k} · {resources.network_name(atlas.id, int(k))} (z {signed(values[k], '.1f')})"
            for k in order
        )
        st.caption(f"Strongest in {wording.plain(strongest)}")
        _show_under(atlas, network, unit, key=key)


def _in_expert(atlas: NetworkAtlas, unit: int) -> str:
    expert = int(atlas.layout.expert_of_unit(unit))
    return "" if expert < 0 else f", in expert {expert}"


def under(atlas: NetworkAtlas, network: int, pick: Pick) -> pd.DataFrame:
    """Return the units that a pressed voxel's colour is made of: unit, layer, index, z, weight."""
    if pick.voxel is None:
        return pd.DataFrame({"unit": [], "layer": [], "index": [], "z": [], "weight": []})
    units, shares = smoothing.units_under(images.grid(atlas.id), pick.voxel, fwhm=pick.fwhm)
    layer, index = atlas.layout.locate(units)
    return pd.DataFrame(
        {
            "unit": units,
            "layer": layer,
            "index": index,
            "z": np.asarray(atlas.maps[network, units], dtype=float).round(2),
            "weight": shares.round(4),
        }
    )


def _show_under(atlas: NetworkAtlas, network: int, unit: int, *, key: str) -> None:
    """List the units under the kernel where the unit was pressed; a row selects its unit."""
    pressed_unit, pick = session_state.widget(_PRESSED) or (-1, Pick())
    if pressed_unit != unit or not pick.fwhm:
        return
    table = under(atlas, network, pick)
    st.caption(
        f"The colour at this place is smoothed over {pick.fwhm:g} mm. The units that it is made "
        "of, by weight; a row selects its unit."
    )
    controls.table(
        table,
        height=36 * (min(len(table), 5) + 1),
        key=f"{key}-under-{unit}",
        on_row=lambda row: pick_unit(int(table["unit"].iloc[row])),
        alt=f"{len(table)} units under the smoothing, by weight",
        columns={"unit": None, "z": ("z in this network", "%.2f"), "weight": "percent"},
    )
