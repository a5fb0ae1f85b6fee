"""The experts of a mixture on a network's page: its units in each, and the tokens that each saw."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.atlas.networks.expert_figures import expert_map
from app.shell import resources
from app.shell.caches.networks import expert_routing
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.statistics import experts

_UNITS, _ALL, _STRONG = "Units of the network", "Tokens seen", "Tokens seen, where it is strong"


def show(atlas: NetworkAtlas, network: int, z: float | None) -> None:
    """Draw the experts of a mixture as parcels of their layers; nothing without experts."""
    if not atlas.layout.expert_sizes:
        return
    st.subheader("Experts", anchor=False)
    of_domain = {f"Tokens seen, of {name}": name for name in atlas.domain_names}
    shown = st.selectbox("Colour", [_UNITS, _ALL, _STRONG, *of_domain], key="experts-shown")
    units = experts.units_by_expert(atlas, network, z=z)
    everywhere, strong = expert_routing(atlas.id, -1, ""), expert_routing(atlas.id, network, "")
    table = experts.expert_table(
        resources.recording(atlas.decomposition.recording_id),
        units,
        share_of_tokens=everywhere,
        where_the_network_is_strong=strong,
    )
    values, of = units, f"of its units in network {network}"
    if shown in (_ALL, _STRONG):
        values, of = everywhere, "of all tokens seen"
        if shown == _STRONG:
            values, of = strong, f"of tokens seen, by network {network}'s energy"
    elif shown in of_domain:
        domain = of_domain[shown]
        values, of = expert_routing(atlas.id, -1, domain), f"of tokens seen, of {domain}"
        table[f"of {domain}"] = _of_rows(table, values)
    draw_picture(
        expert_map(values, of=of, palette=frame.palette(), table=table.round(4)), key="experts"
    )
    per_token = float(np.nansum(everywhere, axis=1).max())
    st.caption(
        f"A token sees at most {per_token:.0f} of up to {everywhere.shape[1]} experts per layer; "
        "those that every token sees read 100 %. Where the network is strong: each window counts "
        "as its energy in the window, so the difference from all tokens says which experts it "
        "goes with."
    )


def _of_rows(table: pd.DataFrame, values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(values[table["layer"].to_numpy(), table["expert"].to_numpy()])
