"""The signature picture: a handful of an atlas's networks inside the body of the model."""

from collections.abc import Callable

import streamlit as st

from app.figures import cortex
from app.figures.cortex import fit_narrow
from app.shell import resources
from app.shell.caches import networks as network_page
from app.shell.caches.colours import palette_of
from app.widgets import browser_events, frame
from app.widgets.bar_list import bar_list
from app.widgets.picture import draw_picture


def show_signature(atlas_id: str, *, on_open: Callable[[int], None]) -> None:
    """Draw a handful of the example's networks inside the body of the model."""
    networks = network_page.signature(atlas_id)
    if not networks:
        return
    palette = palette_of(atlas_id, frame.palette().mode)
    table = resources.network_table(atlas_id)
    picture = cortex.cortex_surfaces(
        [resources.soft_volume(atlas_id, k) for k in networks],
        networks=networks,
        n_networks=resources.atlas(atlas_id).n_networks,
        palette=palette,
        height=400,
        profile=False,
    )
    picture.figure.update_layout(showlegend=False, margin_t=0)  # the bars below are one
    if browser_events.is_narrow():
        fit_narrow(picture.figure)
    draw_picture(picture, key="signature", note=False)

    bar_list(
        [
            {
                "id": k,
                "name": f"{k} · {resources.network_name(atlas_id, k)}",
                "note": f"{table['variance_alone'].iloc[k]:.2%} of variance",
                "share": table["variance_alone"].iloc[k] / table["variance_alone"].max(),
                "colour": palette.networks[k],
            }
            for k in networks
        ],
        key="signature-networks",
        on_pick=on_open,
        oneway=True,
        name="Networks in the picture; each opens its page",
    )
    st.caption(
        f"{len(networks)} of the {resources.atlas(atlas_id).n_networks} networks: on which runs "
        f"agree ({network_page.STABLE} or more), in one piece, and in turn the farthest from "
        "those before. Turn it; press a name to open its network."
    )
