"""The signature picture: a handful of an atlas's networks inside the body of the model."""

from collections.abc import Callable

import streamlit as st

from app import components, figures, resources
from app.caches import network_page


def show_signature(atlas_id: str, *, on_open: Callable[[int], None]) -> None:
    """Draw a handful of the example's networks inside the body of the model."""
    networks = network_page.signature(atlas_id)
    if not networks:
        return
    names = [resources.network_name(atlas_id, k) for k in networks]
    shown = figures.cortex_surfaces(
        [resources.soft_volume(atlas_id, k) for k in networks],
        networks=networks,
        n_networks=resources.atlas(atlas_id).n_networks,
        palette=components.palette(),
        names=[f"{k} · {name[:24]}" for k, name in zip(networks, names, strict=True)],
        height=430,
        profile=False,
    )
    components.picture(shown, key="signature", note=False)

    with st.container(horizontal=True, gap="xsmall"):
        for network, name in zip(networks, names, strict=True):
            st.button(
                f"{network} · {components.plain(name[:24])}",
                type="tertiary",
                key=f"signature-{network}",
                help="Open this network",
                on_click=on_open,
                args=(network,),
            )
    st.caption(
        f"{len(networks)} of the {resources.atlas(atlas_id).n_networks} networks: stable "
        f"(Iq {network_page.STABLE} or more), in one piece, and in turn the farthest from those "
        "before. Turn it; press a name to open its network."
    )
