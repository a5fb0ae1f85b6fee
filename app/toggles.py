"""The table in which each network is preserved or not, and the rules that set many at once."""

import pandas as pd
import streamlit as st

from app import components, resources, state
from fnprune_core.networks import NetworkAtlas

_COLUMNS = ["keep", "map", "network", "trust", "domain", "share", "peak layer"]
#: What trust in a network can be read from, the most telling first; a cluster that few runs share
#: counts little however tight it is.
_TRUST = {
    "reproducibility": "split-half r",
    "again_bootstrap": "Iq × share of bootstraps",
    "again_seeds": "Iq × share of seeds",
    "stability": "stability",
}


def trust_of(table: pd.DataFrame) -> tuple[str, pd.Series]:
    """Return what is known of how far networks can be trusted: its name, and one value each."""
    column = next((c for c in _TRUST if c in table and table[c].notna().any()), "stability")
    return _TRUST[column], table[column]


def toggle_table(atlas: NetworkAtlas) -> None:
    """Draw the table; the frame it starts from changes only when a rule or undo sets it."""
    view = state.view()
    table = resources.network_table(atlas.id)
    trust_name, trust = trust_of(table)
    base = set(state.table_base())
    frame = pd.DataFrame(
        {
            "keep": [network not in base for network in table["network"]],
            "map": resources.thumbnails(atlas.id, view.z, components.palette().mode),
            "network": table["network"],
            "trust": trust,
            "domain": table["top_domain"],
            "share": table["top_domain_share"] * 100,
            "peak layer": table["peak_layer"],
        }
    )
    key = state.table_key()
    column = st.column_config
    st.data_editor(
        frame,
        key=key,
        on_change=_edited,
        args=(key, table["network"].tolist()),
        hide_index=True,
        disabled=[name for name in _COLUMNS if name != "keep"],
        num_rows="fixed",
        height=430,
        row_height=44,
        alt="Networks with a tick for those to preserve",
        column_config={
            "keep": column.CheckboxColumn("keep", width=60, pinned=True),
            "map": column.ImageColumn("map", width=104, pinned=True),
            "network": column.NumberColumn("no.", width=50),
            "trust": column.ProgressColumn(
                trust_name, min_value=0, max_value=1, format="%.2f", width="small", color="auto"
            ),
            "domain": column.TextColumn("most in", width="small"),
            "share": column.NumberColumn("share", format="%.0f %%", width=70),
            "peak layer": column.NumberColumn("layer", width=60),
        },
    )


def _edited(key: str, networks: list[int]) -> None:
    """Take the ticks of the table over; the table itself stays as it is."""
    dropped = set(state.table_base())
    for row, change in state.widget(key)["edited_rows"].items():
        if change.get("keep") is False:
            dropped.add(networks[row])
        elif change.get("keep") is True:
            dropped.discard(networks[row])
    state.drop(dropped, renew_table=False)


def rules(atlas: NetworkAtlas) -> None:
    """Draw the buttons that set many networks at once."""
    view, everything = state.view(), set(range(atlas.n_networks))
    dropped = set(view.dropped) & everything
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.button("Keep all", on_click=state.drop, args=((),), disabled=not dropped)
        st.button("Keep none", on_click=state.drop, args=(everything,))
        st.button("Invert", on_click=state.drop, args=(everything - dropped,))
        with st.popover("Rules", icon=":material/rule:"):
            _domain_rule(atlas, dropped)
            _stability_rule(atlas, dropped)
        st.button(
            "Undo",
            icon=":material/undo:",
            shortcut="U",
            on_click=state.undo,
            disabled=not state.can_undo(),
        )
    kept = atlas.n_networks - len(dropped)
    sign = ":material/check:" if kept else ":material/block:"
    note = "" if dropped else "; with all of them, network energy is FLAP's score"
    st.caption(f"{sign} {kept} of {components.count(atlas.n_networks, 'network')} preserved{note}")


def _domain_rule(atlas: NetworkAtlas, dropped: set[int]) -> None:
    domain = st.selectbox("Networks with over half of their energy in", atlas.domain_names)
    found = set(atlas.networks_of_domain(domain))
    with st.container(horizontal=True):
        st.button(
            f"Prune these {len(found)}",
            icon=":material/content_cut:",
            on_click=state.drop,
            args=(dropped | found,),
            disabled=not found - dropped,
        )
        st.button(
            "Keep them",
            icon=":material/check:",
            on_click=state.drop,
            args=(dropped - found,),
            disabled=not found & dropped,
        )


def _stability_rule(atlas: NetworkAtlas, dropped: set[int]) -> None:
    name, trust = trust_of(resources.network_table(atlas.id))
    if not trust.notna().any():
        return
    least = st.slider(f"Networks whose {name} is below", 0.0, 1.0, 0.6, 0.05)
    found = {int(k) for k in trust.index[trust < least]}
    st.button(
        f"Prune these {len(found)} ",
        icon=":material/content_cut:",
        on_click=state.drop,
        args=(dropped | found,),
        disabled=not found - dropped,
    )
