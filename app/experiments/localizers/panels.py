"""Panels of a localizer's result: figures, pictures, tables, and their limits."""

from typing import Literal

import pandas as pd
import streamlit as st

from app.experiments.localizers import body, choice, data, figures
from app.figures.base import in_words
from app.shell import glossary, recipes, resources, session_state, view_state, wording
from app.widgets import controls, frame
from app.widgets.controls import button
from app.widgets.picture import csv_button, draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.localizers import control, ready_made
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.probability import p_text

_PICKED = "network"
_SHORT = 5  # rows of a table that is shown whole
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


def show(atlas: NetworkAtlas, result: LocalizerResult) -> None:
    """Draw all panels of a localizer's result."""
    network = _selected_network(result)
    numbers(result)
    beside_directions(atlas, result, network)
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.subheader("Contrast in the body", anchor=False, help=glossary.tip("contrast"))
        body.show_contrast(atlas, result, made=_code(atlas, result, network))
    with right:
        st.subheader("Networks, ranked", anchor=False, help=glossary.tip("fdr"))
        ranking(atlas, result, network)
    st.subheader(
        f"Network {network}: {wording.plain(resources.network_name(atlas.id, network))}",
        anchor=False,
    )
    pick(atlas, result, network)
    code = _code(atlas, result, network)
    palette = frame.palette()
    draw_picture(
        figures.block_course(result, network, palette=palette), key="localizer-course", made=code
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(
            f"By {result.localizer.unit}", anchor=False, help=glossary.tip("unit_of_resampling")
        )
        draw_picture(
            figures.template_effects(result, network, palette=palette),
            key="localizer-templates",
            made=code,
        )
    with right:
        st.subheader("Decoding of held-out items", anchor=False, help=glossary.tip("decoding"))
        draw_picture(
            figures.decoding_null(result, palette=palette), key="localizer-decoding", made=code
        )
        st.caption(
            f"A linear readout of all {result.n_networks} networks, trained on the other "
            f"{result.localizer.unit}; chance is 50 %."
        )
    tables(atlas, result, code)
    limits(result)


def _selected_network(result: LocalizerResult) -> int:
    """Return the selected network: the one picked here, else the strongest."""
    view = view_state.view()
    if view.show == _PICKED and view.network < result.n_networks:
        return view.network
    return int(result.order()[0])


def _code(atlas: NetworkAtlas, result: LocalizerResult, network: int) -> str:
    return recipes.code(
        "localizer", atlas=atlas.id, result=result.id, which=result.localizer.name, network=network
    )


def numbers(result: LocalizerResult) -> None:
    """Draw the figures that sum a localizer up, and say in words whether there is an effect."""
    decoding, table = result.decoding, result.network_table()
    n, n_units = int(table["responds"].sum()), result.n_responding()
    with st.container(horizontal=True):
        st.metric(
            "Decoding, held out",
            f"{100 * decoding.accuracy:.0f} % ± {100 * decoding.standard_error:.0f} %",
            help=f"Balanced accuracy on held-out {result.localizer.unit}, with its standard error "
            "over them; 50 % is chance.",
        )
        st.metric(
            "p of decoding",
            p_text(decoding.p),
            help=f"Share of {len(decoding.null):,} permutations of whole blocks that do as well.",
        )
        st.metric(
            "Networks respond",
            f"{n} of {result.n_networks}",
            help=f"q below 0.05 (Benjamini and Hochberg over networks), t over "
            f"{result.localizer.unit}.",
        )
        st.metric(
            "Units respond",
            f"{n_units:,}",
            help=f"q below 0.05 over {int(result.alive.sum()):,} units that vary.",
        )
    st.markdown(verdict(result, n))


def beside_directions(atlas: NetworkAtlas, result: LocalizerResult, network: int) -> None:
    """Draw what responds beside random directions, and what is left after tokens per word."""
    table, beside = data.controls(result.id, atlas.id)
    for sentence in control.sentences(result, table):
        st.markdown(wording.plain(sentence))
    if beside is None:
        st.caption("Run it again, and random directions stand beside.")
        choice.run(atlas, result.localizer)
    else:
        above = "above" if beside.is_above()[network] else "**not above**"
        st.caption(
            f"Network {network} is {above} 95 % of permuted directions: |t| "
            f"{beside.text(network, '{:.1f}')}."
        )
    with st.expander("Random directions and tokens per word", icon=":material/casino:"):
        _draw_table("Networks and random directions", _side_by_side(table), "controls")
        st.caption(
            "Random directions are of the same number and shape of map: *permuted*, the units of "
            "each map within layers; *rotated*, all maps turned together. Adjusted: what words of "
            "many tokens explain within blocks is taken off linearly. Shifted units are no control "
            "here, for they keep the mean of a block."
        )


def _side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Return a control with what is adjusted beside what is not."""
    plain, adjusted = (table[table["adjusted"] == each].set_index("of") for each in (False, True))
    columns = {
        "respond": plain["responding"],
        "respond, adjusted": adjusted["responding"],
        "decoding, %": 100 * plain["accuracy"],
        "decoding, adjusted, %": 100 * adjusted["accuracy"],
    }
    return pd.DataFrame(columns).loc[plain.index].round(1).reset_index()


def verdict(result: LocalizerResult, n: int) -> str:
    """Return in a sentence whether this model shows the contrast."""
    decoded = result.decoding.p < 0.05
    contrast = wording.plain(result.localizer.contrast)
    if decoded and n:
        return f"Networks respond, and held-out items are told apart ({contrast})."
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


def ranking(atlas: NetworkAtlas, result: LocalizerResult, network: int) -> None:
    """Draw the networks that differ most; a click on a point selects its network."""
    names = [resources.network_name(atlas.id, k) for k in range(result.n_networks)]
    event = draw_picture(
        figures.network_effects(result, names, selected=network, palette=frame.palette()),
        key=f"localizer-networks-{network}",
        made=_code(atlas, result, network),
        on_select="rerun",
        selection_mode="points",
    )
    points = event["selection"]["points"] if event else []
    if points and "customdata" in points[0]:
        picked_network = int(points[0]["customdata"][0])
        if picked_network != network:
            _select_network(picked_network)
            st.rerun()


def _select_network(network: int) -> None:
    view_state.change(network=network, show=_PICKED)


def pick(atlas: NetworkAtlas, result: LocalizerResult, network: int) -> None:
    """Draw the choice of the network that is shown by block and template."""
    order = [int(k) for k in result.order()]
    key = f"localizer-network-{result.id}-{network}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Network",
            order,
            index=order.index(network),
            format_func=lambda k: f"{k} · {resources.network_name(atlas.id, k)}",
            key=key,
            on_change=lambda: _select_network(int(session_state.widget(key))),
            label_visibility="collapsed",
            width=320,
        )
        button(
            "See its map",
            "neurology",
            key="localizer-open",
            kind="tertiary",
            does=lambda: _select_network(network),
        )
    if session_state.widget("localizer-open"):
        st.switch_page(frame.ATLAS)


def tables(atlas: NetworkAtlas, result: LocalizerResult, code: str) -> None:
    """Draw tables on request, each as CSV: networks, units, surprise, the design matrix."""
    with st.expander("Tables", icon=":material/table:", on_change="rerun") as expander:
        if expander.open:
            network_table = result.network_table()
            network_table.insert(
                1, "name", [resources.network_name(atlas.id, k) for k in network_table["network"]]
            )
            _draw_table(
                "Networks", network_table[list(_HEADINGS)].rename(columns=_HEADINGS), "networks"
            )
            _draw_table("Units with q below 0.05", result.unit_table(), "units")
            _draw_table(
                "Surprise of each condition, nats per token", result.surprise_table(), "surprise"
            )
            _draw_table("Items", result.item_table(), "items")
    with st.expander("Design matrix", icon=":material/grid_on:", on_change="rerun") as expander:
        if expander.open:
            draw_picture(
                figures.design_picture(result, palette=frame.palette()),
                key="localizer-design",
                made=code,
            )


def _draw_table(title: str, table: pd.DataFrame, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}**", width="stretch")
        csv_button(table, name=f"localizer-{key}", key=f"localizer-{key}")
    height: int | Literal["content"] = 240 if len(table) > _SHORT else "content"
    controls.table(in_words(table.head(500)), height=height, alt=title)


def limits(result: LocalizerResult) -> None:
    """Draw the limits of the numbers."""
    unit = wording.plain(result.localizer.unit)
    words = " with the same words, for they share their lists" if _is_ready(result) else ""
    st.caption(
        "What this cannot show. A localizer finds what differs between these stimuli, wanted or "
        f"not. The unit of resampling is {unit}, never tokens: intervals speak of other {unit} "
        f"like these{words}. Token frequency and position are taken off linearly; there is no "
        "haemodynamic response, and blocks are read without memory of one another. A network "
        "that responds need not be needed: lesions test that. "
        f"{wording.plain(result.localizer.note)}"
    )


def _is_ready(result: LocalizerResult) -> bool:
    return result.localizer.name in ready_made.READY
