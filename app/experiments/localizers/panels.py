"""What a localizer found: figures, pictures, tables, and what it can't tell."""

import pandas as pd
import streamlit as st

from app.experiments.localizers import data as cache
from app.experiments.localizers import figures
from app.shell import glossary, recipes, resources, view_state, wording
from app.widgets import atlas_frame, frame
from app.widgets.picture import csv_button, draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.results import LocalizerResult

_PICKED = "network"
_HEADINGS = {
    "network": "no.",
    "name": "name",
    "difference": "× usual",
    "low": "95 % from",
    "high": "to",
    "effect_size": "g",
    "t": "t",
    "p": "p",
    "q": "q",
}


def show(atlas: NetworkAtlas, found: LocalizerResult) -> None:
    """Draw all that a localizer found."""
    network = _network(found)
    numbers(found)
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.subheader("Contrast on the cortex", anchor=False, help=glossary.tip("contrast"))
        contrast(atlas, found)
    with right:
        st.subheader("Networks, ranked", anchor=False, help=glossary.tip("fdr"))
        ranking(atlas, found, network)
    st.subheader(
        f"Network {network}: {wording.plain(resources.network_name(atlas.id, network))}",
        anchor=False,
    )
    pick(atlas, found, network)
    made = _made(atlas, found, network)
    palette = frame.palette()
    draw_picture(
        figures.block_course(found, network, palette=palette), key="localizer-course", made=made
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(
            f"By {found.localizer.unit}", anchor=False, help=glossary.tip("unit_of_resampling")
        )
        draw_picture(
            figures.template_effects(found, network, palette=palette),
            key="localizer-templates",
            made=made,
        )
    with right:
        st.subheader("Decoding of held-out items", anchor=False, help=glossary.tip("decoding"))
        draw_picture(
            figures.decoding_null(found, palette=palette), key="localizer-decoding", made=made
        )
        st.caption(
            f"A linear readout of all {found.n_networks} networks, trained on the other "
            f"{found.localizer.unit}; chance is 50 %."
        )
    tables(atlas, found, made)
    limits(found)


def _network(found: LocalizerResult) -> int:
    """Return the network that is looked at: the one picked here, else the strongest."""
    view = view_state.view()
    if view.show == _PICKED and view.network < found.n_networks:
        return view.network
    return int(found.order()[0])


def _made(atlas: NetworkAtlas, found: LocalizerResult, network: int) -> str:
    return recipes.code(
        "localizer", atlas=atlas.id, result=found.id, which=found.localizer.name, network=network
    )


def numbers(found: LocalizerResult) -> None:
    """Draw the figures that sum a localizer up, and say in words whether there is an effect."""
    made, table = found.decoding, found.network_table()
    n, n_units = int(table["responds"].sum()), found.n_responding()
    with st.container(horizontal=True):
        st.metric(
            "Decoding, held out",
            f"{made.accuracy:.0%} ± {made.standard_error:.0%}",
            help=f"Balanced accuracy on held-out {found.localizer.unit}, with its standard error "
            "over them; 50 % is chance.",
        )
        st.metric(
            "p of decoding",
            f"{made.p:.2g}",
            help=f"Share of {len(made.null):,} permutations of whole blocks that do as well.",
        )
        st.metric(
            "Networks respond",
            f"{n} of {found.n_networks}",
            help=f"q below 0.05 (Benjamini and Hochberg over networks), t over "
            f"{found.localizer.unit}.",
        )
        st.metric(
            "Neurons respond",
            f"{n_units:,}",
            help=f"q below 0.05 over {int(found.alive.sum()):,} units that vary.",
        )
    st.markdown(verdict(found, n))


def verdict(found: LocalizerResult, n: int) -> str:
    """Return in a sentence whether this model shows the contrast."""
    decoded = found.decoding.p < 0.05
    contrast = wording.plain(found.localizer.contrast)
    if decoded and n:
        return f"A clear effect: networks respond, and held-out items are told apart ({contrast})."
    if decoded:
        return (
            f"Held-out items are told apart ({contrast}), but from many networks together: none "
            "differs by itself after correction."
        )
    if n:
        return (
            f"Some networks differ in the mean ({contrast}), but that does not suffice to tell "
            "held-out items apart."
        )
    return f"No clear effect: neither networks nor decoding show a difference ({contrast})."


def contrast(atlas: NetworkAtlas, found: LocalizerResult) -> None:
    """Draw t of every unit on the cortex."""
    volume, units = cache.volume(found.id, atlas.id), resources.unit_indices(atlas.id)
    if volume is None or units is None:
        atlas_frame.offer_cortex(atlas)
        return
    draw_picture(
        figures.contrast_map(found, volume, units, palette=frame.palette()),
        key="localizer-map",
        made=_made(atlas, found, _network(found)),
    )


def ranking(atlas: NetworkAtlas, found: LocalizerResult, network: int) -> None:
    """Draw the networks that differ most; a click on a point selects its network."""
    names = [resources.network_name(atlas.id, k) for k in range(found.n_networks)]
    event = draw_picture(
        figures.network_effects(found, names, selected=network, palette=frame.palette()),
        key=f"localizer-networks-{network}",
        made=_made(atlas, found, network),
        on_select="rerun",
        selection_mode="points",
    )
    points = event["selection"]["points"] if event else []
    if points and "customdata" in points[0]:
        picked = int(points[0]["customdata"][0])
        if picked != network:
            _pick(picked)
            st.rerun()


def _pick(network: int) -> None:
    view_state.change(network=network, show=_PICKED)


def pick(atlas: NetworkAtlas, found: LocalizerResult, network: int) -> None:
    """Draw the choice of the network that is shown by block and template."""
    order = [int(k) for k in found.order()]
    key = f"localizer-network-{found.id}-{network}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Network",
            order,
            index=order.index(network),
            format_func=lambda k: f"{k} · {resources.network_name(atlas.id, k)}",
            key=key,
            on_change=lambda: _pick(int(view_state.widget(key))),
            label_visibility="collapsed",
            width=320,
        )
        st.button(
            "See its map",
            icon=":material/neurology:",
            key="localizer-open",
            type="tertiary",
            on_click=lambda: _pick(network),
        )
    if view_state.widget("localizer-open"):
        st.switch_page(frame.ATLAS)


def tables(atlas: NetworkAtlas, found: LocalizerResult, made: str) -> None:
    """Draw tables on request, each as CSV: networks, neurons, surprise, the design matrix."""
    with st.expander("Tables", icon=":material/table:", on_change="rerun") as opened:
        if opened.open:
            whole = found.network_table()
            whole.insert(1, "name", [resources.network_name(atlas.id, k) for k in whole["network"]])
            _table("Networks", whole[list(_HEADINGS)].rename(columns=_HEADINGS), "networks")
            _table("Neurons with q below 0.05", found.unit_table(), "neurons")
            _table("Surprise of each condition, nats a token", found.surprise_table(), "surprise")
            _table("Items", found.item_table(), "items")
    with st.expander("Design matrix", icon=":material/grid_on:", on_change="rerun") as opened:
        if opened.open:
            draw_picture(
                figures.design_picture(found, palette=frame.palette()),
                key="localizer-design",
                made=made,
            )


def _table(title: str, table: pd.DataFrame, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}**", width="stretch")
        csv_button(table, name=f"localizer-{key}", key=f"localizer-{key}")
    st.dataframe(table.head(500), hide_index=True, height=240, alt=title)


def limits(found: LocalizerResult) -> None:
    """Say what the numbers can't tell."""
    unit = found.localizer.unit
    words = " with the same words, for they share their lists" if _is_ready(found) else ""
    st.caption(
        f"What this can't tell. A localizer finds what differs between these stimuli, wanted or "
        f"not. The unit of resampling is {unit}, never tokens: intervals speak of other {unit} "
        f"like these{words}. Token frequency and position are taken off linearly; there is no "
        "haemodynamic response, and blocks are read without memory of one another. A network "
        f"that responds need not be needed: lesions test that. {found.localizer.note}"
    )


def _is_ready(found: LocalizerResult) -> bool:
    return found.localizer.name in ready_made.READY
