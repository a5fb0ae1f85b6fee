"""The choice of a unit: by its network, its layer and number, or a starting point."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from app.atlas.unit import data as cache
from app.figures.markup import signed
from app.shell import session_state, view_state
from app.widgets.controls import button
from app.widgets.gallery import bar_list
from fnprune_core.atlas.network_atlas import NetworkAtlas

_N_STARTING = 12


def selected_unit(atlas: NetworkAtlas, network: int) -> int:
    """Return the view's unit, or the selected network's strongest if it names none that exists."""
    unit = view_state.view().unit
    if 0 <= unit < atlas.layout.n_units:
        return unit
    strongest = int(cache.ranked(atlas.id, network)[0])
    if unit >= 0:
        st.warning(
            f"There is no unit {unit:,}: this model's run from 0 to {atlas.layout.n_units - 1:,}. "
            f"The strongest unit of network {network} is shown.",
            icon=":material/info:",
        )
    return strongest


def select(unit: int) -> None:
    """Select another unit in the view."""
    view_state.change(unit=unit)


def label(atlas: NetworkAtlas, unit: int) -> str:
    """Return a unit's layer and index, in words."""
    layer, index = atlas.layout.locate(unit)
    return f"layer {int(layer)}, unit {int(index):,}{_expert_of(atlas, unit)}"


def short_label(atlas: NetworkAtlas, unit: int) -> str:
    """Return a unit's layer and index, for a list."""
    layer, index = atlas.layout.locate(unit)
    return f"layer {int(layer)} · {int(index):,}{_expert_of(atlas, unit)}"


def _expert_of(atlas: NetworkAtlas, unit: int) -> str:
    expert = int(atlas.layout.expert_of_unit(unit))
    return "" if expert < 0 else f", expert {expert}"


def chooser(atlas: NetworkAtlas, network: int, unit: int) -> None:
    """Draw the choice of the unit: by layer and index, or by |z| in the selected network."""
    ranking = cache.ranked(atlas.id, network)
    place = int(np.flatnonzero(ranking == unit)[0])
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    keys = f"unit-layer-{unit}", f"unit-index-{unit}"

    def select_by_number() -> None:
        in_layer = int(session_state.widget(keys[0]))
        last = atlas.layout.widths[in_layer] - 1
        select(int(atlas.layout.flat(in_layer, min(int(session_state.widget(keys[1])), last))))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "Layer",
            0,
            atlas.layout.n_layers - 1,
            layer,
            key=keys[0],
            on_change=select_by_number,
            width=120,
        )
        st.number_input(
            "Unit in its layer", 0, atlas.layout.widths[layer] - 1, index,
            key=keys[1], on_change=select_by_number, width=150,
        )  # fmt: skip
        for name, icon, step in (("Stronger", "arrow_upward", -1), ("Weaker", "arrow_downward", 1)):
            button(
                name,
                icon,
                key=f"unit-{name}",
                is_off=not 0 <= place + step < len(ranking),
                does=select,
                args=(int(ranking[min(max(place + step, 0), len(ranking) - 1)]),),
                help=f"The unit next to this one by |z| in network {network}",
            )
    widths = sorted(set(atlas.layout.widths))
    last = f"{widths[0] - 1:,}" if len(widths) == 1 else f"{widths[0] - 1:,} to {widths[-1] - 1:,}"
    st.caption(
        f"Layers run from 0 to {atlas.layout.n_layers - 1}, units from 0 to {last}. "
        f"Number {place + 1:,} of {len(ranking):,} units by |z| in network {network}."
    )


def starting_points(atlas: NetworkAtlas, network: int, unit: int) -> None:
    """List the selected network's strongest units."""
    units = cache.ranked(atlas.id, network)[:_N_STARTING]
    z = atlas.maps[network, units]
    bar_list(
        rows(units, z, [short_label(atlas, u) for u in units], [signed(v, ".1f") for v in z]),
        key="unit-start",
        on_pick=select,
        selected=unit,
        name=f"Strongest units of network {network}",
    )


def rows(
    ids: Iterable[int], values: ArrayLike, names: Sequence[str], notes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return rows of `bar_list`, each as long as its share of the largest magnitude."""
    shares = np.asarray(values, dtype=np.float64)
    shares = shares / max(float(np.abs(shares).max()), 1e-12)
    return [
        {"id": int(id), "name": name, "note": note, "share": share}
        for id, name, note, share in zip(ids, names, notes, shares.tolist(), strict=True)
    ]
