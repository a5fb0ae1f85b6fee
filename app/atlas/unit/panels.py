"""Panels of the Unit page: the choice of the unit, and each thing that is measured of it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.atlas import spared_words
from app.atlas.unit import data as cache
from app.atlas.unit.choice import rows, select, short_label
from app.atlas.unit.figures import unit_domains, unit_loadings, unit_place
from app.figures.markup import signed, token_strip
from app.shell import recipes, resources, view_state, wording
from app.shell.caches import atlas_maps
from app.widgets import frame, model_offer
from app.widgets.controls import table
from app.widgets.gallery import bar_list
from app.widgets.picture import draw_picture
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.network_atlas import NetworkAtlas, Passage


def numbers(atlas: NetworkAtlas, unit: int) -> None:
    """Draw the statistics of a unit's activation."""
    recording = resources.recording(atlas.decomposition.recording_id)
    with st.container(horizontal=True):
        st.metric("Mean activation", f"{recording.mean[unit]:.3g}")
        st.metric("Standard deviation", f"{recording.std[unit]:.3g}")
        st.metric(
            "Largest on dummy tokens",
            f"{recording.dummy_max[unit]:.3g}",
            help="The first tokens of a window: a unit that is huge there serves attention sinks.",
        )
        if not atlas.decomposition.alive[unit]:
            st.metric("Alive", "no", help="It hardly varies, so no network includes it.")


def networks(atlas: NetworkAtlas, network: int, unit: int) -> None:
    """Draw the networks that a unit loads on; a press selects one."""
    z = atlas.maps[:, unit]
    names = resources.network_names(atlas.id)
    draw_picture(
        unit_loadings(
            z,
            names=names,
            selected=network,
            threshold=view_state.view().z,
            palette=frame.palette(),
        ),
        key="unit-loadings",
        made=recipes.code("unit-loadings", atlas=atlas.id, unit=unit),
    )
    order = np.argsort(-np.abs(z), kind="stable")[:6]
    titles = [f"{k} · {names[k]}" for k in order]
    bar_list(
        rows(order, z[order], titles, [f"z {signed(z[k], '.1f')}" for k in order]),
        key="unit-networks",
        on_pick=lambda k: view_state.change(network=k),
        selected=network,
        name="Networks that this unit loads on",
    )


def texts(atlas: NetworkAtlas, unit: int) -> None:
    """Draw the passages that activate a unit the most, its two signs apart."""
    limit = cache.strength(atlas.id, unit)
    columns = st.columns(2, gap="large")
    for column, pole, title in zip(columns, (1, -1), ("Positive", "Negative"), strict=True):
        with column:
            st.markdown(f"**{title} activation**")
            passages = cache.passages(atlas.id, unit, pole)
            if not passages:
                st.caption("On no token of the recording.")
            for passage in passages:
                _passage(passage, limit)


def _passage(passage: Passage, limit: float) -> None:
    place = f"{passage.domain} · {passage.document} · token {passage.position}"
    peak = signed(passage.values[passage.centre], ".3g")
    st.caption(f"{wording.plain(place)} · activation {peak}")
    st.html(
        token_strip(
            passage.pieces,
            passage.values,
            limit=limit,
            palette=frame.palette(),
            centre=passage.centre,
        )
    )


def domains(atlas: NetworkAtlas, unit: int) -> None:
    """Draw a unit's mean activation by domain."""
    draw_picture(
        unit_domains(cache.domains(atlas.id, unit), palette=frame.palette()),
        key="unit-domains",
        made=recipes.code("unit-domains", atlas=atlas.id, unit=unit),
    )


def place(atlas: NetworkAtlas, network: int, unit: int) -> None:
    """Draw where in the cortex a unit sits, and the units around it."""
    volume, indices = atlas_maps.volume(atlas.id, network), atlas_maps.unit_indices(atlas.id)
    if volume is None or indices is None:
        st.caption("The units of this atlas have no places yet: lay out the cortex first.")
        st.page_link(frame.ATLAS, label="Networks", icon=":material/neurology:")
        return
    z = view_state.view().z
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    draw_picture(
        unit_place(
            volume[layer],
            indices[layer],
            unit=(layer, index),
            network=network,
            threshold=z,
            limit=atlas_maps.colour_limit(atlas.id, z),
            palette=frame.palette(),
        ),
        key="unit-place",
        made=recipes.code("unit-place", atlas=atlas.id, unit=unit, network=network),
    )


def relatives(atlas: NetworkAtlas, network: int, unit: int) -> None:
    """List the units around a unit in the cortex, and those that load as it does."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Around it in the cortex**")
        st.caption(f"z in network {network}, and the network where each is strongest")
        neighbours = cache.neighbours(atlas.id, unit)
        _units(atlas, neighbours, atlas.maps[network, neighbours].tolist(), key="unit-near")
    with right:
        st.markdown("**Most alike in all networks**")
        st.caption("Cosine of loadings, and the network where each is strongest")
        similar_units = cache.similar(atlas.id, unit)
        _units(
            atlas,
            [u.unit for u in similar_units],
            [u.cosine for u in similar_units],
            key="unit-alike",
        )


def _units(atlas: NetworkAtlas, units: Sequence[int], values: Sequence[float], *, key: str) -> None:
    if not units:
        st.caption("None.")
        return
    strongest = np.abs(atlas.maps[:, list(units)]).argmax(axis=0)
    notes = [f"{signed(v, '.2f')} · net {k}" for v, k in zip(values, strongest, strict=True)]
    bar_list(
        rows(units, values, [short_label(atlas, u) for u in units], notes),
        key=key,
        on_pick=select,
        name="Units, each with its strongest network",
    )


def weights(atlas: NetworkAtlas, unit: int) -> None:
    """Draw a unit's weights and the tokens it promotes, or offer to load the model."""
    model = model_offer.language_model(
        atlas, needed_for="for the unit's weights and the tokens that it promotes", key="unit"
    )
    if model is None:
        return
    left, middle, right = st.columns([3, 2, 2], gap="large")
    with left:
        st.markdown("**Norms of its weights**")
        st.table(
            {
                wording.plain(each.name): f"{each.norm:.3g}, number {each.rank:,} of "
                f"{each.n_units:,} in the layer"
                for each in cache.weight_norms(unit, model)
            },
            border="horizontal",
            alt="Norms of the unit's weights, with their rank in the layer",
        )
    promoted, suppressed = spared_words.shown(*cache.effects(unit, model))
    with middle:
        _effects("Promotes", promoted, "unit-promotes")
    with right:
        _effects("Suppresses", suppressed, "unit-suppresses")
    st.caption(
        "Effects of a positive activation on the next token, in standard deviations over the "
        "vocabulary: its output column through the final norm and the unembedding. What later "
        "layers do with it is left out."
    )


def _effects(title: str, effects: Sequence[LogitEffect], key: str) -> None:
    st.markdown(f"**{title}**")
    table(
        {
            "token": [repr(effect.text)[1:-1] for effect in effects],
            "effect": [effect.effect for effect in effects],
        },
        key=key,
        alt=f"Tokens that the unit {title.lower()}",
        columns={"effect": "%.1f sd"},
    )
