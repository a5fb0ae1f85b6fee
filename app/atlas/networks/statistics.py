"""A network's statistics, its decoding, and its units, each a section of its page."""

import numpy as np
import streamlit as st

from app.atlas import random_directions, spared_words
from app.atlas.networks import experts, heads, options, picked_unit
from app.atlas.networks import figures as statistics
from app.figures.markup import signed
from app.figures.networks import domain_bars
from app.shell import recipes, resources, view_state, wording
from app.shell.caches import directions, networks
from app.widgets import atlas_frame, controls, frame, model_offer
from app.widgets.picture import draw_picture
from fnprune_core.atlas.naming.promoted import N_TOKENS
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.atlas.units import pole_units
from fnprune_core.probability import p_text

#: Statistics of `beside.STATISTICS` that stand under the token classes, and what each says.
_EXPLAINED = {
    "classes": "Token classes explain {} of its variance",
    "tokens": "Tokens that were read three times or more explain {} of its variance",
}


def show_statistics(atlas: NetworkAtlas, network: int) -> None:
    """Draw the map's histogram with the fitted curves, and the time course's spectrum."""
    left, right = st.columns(2, gap="large")
    with left, frame.explaining():
        st.subheader("Map", anchor=False)
        draw_picture(
            statistics.map_histogram(
                networks.alive_z(atlas.id, network),
                networks.mixture(atlas.id, network),
                networks.suggestions(atlas.id, network),
                network=network,
                threshold=view_state.view().z,
                palette=frame.palette(),
            ),
            key="histogram",
            made=recipes.code("histogram", atlas=atlas.id, network=network),
        )
    with right, frame.explaining():
        st.subheader("Spectrum", anchor=False)
        draw_picture(
            statistics.spectrum_line(
                networks.spectrum(atlas.id, network),
                network=network,
                palette=frame.palette(),
            ),
            key="spectrum",
            made=recipes.code("spectrum", atlas=atlas.id, network=network),
        )
        st.caption("Time is the order of tokens: fast changes are as real as slow ones.")


def show_decoding(atlas: NetworkAtlas, network: int) -> None:
    """Draw the domains and token classes that a network goes with, and the tokens it promotes."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Domains", anchor=False)
        draw_picture(
            domain_bars(atlas.domain_share()[network], atlas.domain_names, palette=frame.palette()),
            key="domains",
            made=recipes.code("domains", atlas=atlas.id, network=network),
        )
        with frame.explaining():
            _domain_test(atlas, network)
            random_directions.offer(atlas, key="decoding")
        st.subheader("Token classes", anchor=False)
        draw_picture(
            statistics.class_bars(
                networks.class_effects(atlas.id, network),
                network=network,
                palette=frame.palette(),
            ),
            key="classes",
            made=recipes.code("classes", atlas=atlas.id, network=network),
        )
        for name, says in _EXPLAINED.items():
            random_directions.show(directions.beside(atlas.id, name), network, says)
    with right:
        st.subheader("Next tokens", anchor=False)
        with frame.explaining():
            _logits(atlas, network)
        st.subheader("Trivial things it follows", anchor=False)
        _tags(atlas, network)


def _domain_test(atlas: NetworkAtlas, network: int) -> None:
    """Draw whether domains differ in the network's strength, and how that was tested."""
    test = networks.domain_test(atlas.id)
    p, corrected = test.p_value[network], test.p_corrected[network]
    verdict = "Domains differ" if corrected < 0.05 else "No difference between domains is shown"
    st.markdown(
        f"**{verdict}**: they explain {100 * test.statistic[network]:.0f} % of the differences "
        f"between documents in log energy, p {p_text(p)}, corrected for "
        f"{wording.count(atlas.n_networks, 'network')} p {p_text(corrected)}."
    )
    random_directions.show(
        directions.beside(atlas.id, "domains"), network, "Domains explain {} of its variance"
    )
    if note := test.length_note():
        st.warning(wording.plain(note), icon=":material/straighten:")
    st.caption(
        f"Permutation test: the domains of {wording.count(test.n_documents, 'document')} were "
        f"shuffled {test.n_permutations:,} times; the correction is for the false discovery rate "
        "(Benjamini and Hochberg). Domains differ in the strength of nearly any direction in the "
        "units, so read the share that they explain."
    )


def _tags(atlas: NetworkAtlas, network: int) -> None:
    """Draw the trivial things that a network follows, with the number that says so."""
    tags = networks.tags(atlas.id)[network]
    if not tags:
        st.caption(
            "None: neither position, attention sinks, punctuation nor the overall activation."
        )
    for tag in tags:
        st.markdown(
            f"Follows **{wording.plain(tag.name)}**: {tag.value:.2g} ({wording.plain(tag.measure)})"
        )


def _logits(atlas: NetworkAtlas, network: int) -> None:
    """Draw which tokens the network's output directions promote and suppress."""
    model = model_offer.language_model(
        atlas, needed_for="to see what the network does to the next token", key="decoding"
    )
    if model is None:
        return
    z = atlas_frame.units_rule(atlas, "decoding-z", has_slider=True)
    if not resources.n_members(atlas.id, network, z):
        st.info(
            f"No unit belongs to network {network} ({atlas.rule(z)}). By |z| its strongest units "
            "are read.",
            icon=":material/info:",
        )
        return
    promoted, suppressed = spared_words.shown(*networks.logit_effects(atlas.id, network, z, model))
    draw_picture(
        statistics.logit_bars(promoted, suppressed, palette=frame.palette()),
        key="logits",
        made=recipes.code("logits", atlas=atlas.id, network=network, z=z),
    )
    st.caption(
        f"The output directions of its units ({atlas.rule(z)}), each by its loading and spread, "
        "through the final norm's gain and the unembedding; what later layers do is left out. "
        "Where the network's strength is negative, promoted and suppressed tokens change places."
    )
    random_directions.show(
        directions.promotion(atlas.id, model),
        network,
        f"The {N_TOKENS} tokens that its units with |z| above {DEFAULT_THRESHOLD:g} promote most "
        "have a mean effect of {}",
        form="{:.1f}",
    )


def show_units(atlas: NetworkAtlas, network: int) -> None:
    """Draw both poles of a network apart, each with its size, peak and strongest units."""
    z = atlas_frame.units_rule(atlas, "units-z", has_slider=True)
    if not resources.n_members(atlas.id, network, z):
        text = f"No unit belongs to network {network} ({atlas.rule(z)}). The strongest are listed."
        st.info(text, icon=":material/info:")
    chosen_pole = options.options().pole
    poles = [pole for pole in (1, -1) if chosen_pole in (0, pole)]
    picked_unit.unit_card(atlas, network, key="units-unit")
    for column, pole in zip(st.columns(len(poles), gap="large"), poles, strict=True):
        with column:
            _pole(atlas, network, pole, z)
    st.caption(
        "While the positive pole is above its mean, the negative is below. The sign of a map is "
        "chosen so that its heavier tail is positive."
    )
    experts.show(atlas, network, z)
    heads.show(atlas, network)


def _pole(atlas: NetworkAtlas, network: int, pole: int, z: float | None) -> None:
    pole_name = options.POLES[pole]
    st.subheader(f"{pole_name} pole", anchor=False)
    passage = next(iter(networks.passages(atlas.id, network, pole)), None)
    sentence = f"{networks.pole_sentence(atlas.id, network, pole, z)}."
    if passage is not None:
        sentence += (
            f" Strongest at token {passage.position} of {passage.document} "
            f"({signed(passage.values[passage.centre], '.2f')})."
        )
    st.caption(wording.plain(sentence))
    table = pole_units(atlas, network, pole)
    if z is None:
        table["member"] = np.isin(table["unit"], atlas.members(network))
    controls.table(
        table.drop(columns="unit"),
        key=f"units-{network}-{pole}",
        on_row=lambda row: picked_unit.pick_unit(int(table["unit"].iloc[row])),
        alt=f"Strongest units of the {pole_name.lower()} pole",
        columns={"index": ("unit", "%d"), "z": "%.2f"},
    )
