"""Probe: a text of one's own, and the networks that it lights up."""

import streamlit as st

from app import (
    atlas_frame,
    components,
    glossary,
    model_offer,
    probe_text,
    recipes,
    resources,
    state,
    tasks,
)
from app.caches import probe as cache
from app.figures.probe import networks_over_tokens
from app.jobs import Job
from fnprune_core.networks import NetworkAtlas
from fnprune_core.probing import Reading


def read(atlas: NetworkAtlas, text: str, *, is_asked: bool) -> Reading | None:
    """Return what the text did, or say what is missing; a long text is read when asked for."""
    model = model_offer.language_model(atlas, needed_for="to read a text", key="probe")
    if model is None:
        return None
    if not text:
        if is_asked:
            st.info("Type or paste a text first, or press an example.", icon=":material/edit:")
        return None
    source = model.source

    def take(job: Job) -> None:
        cache.readings().put(job.inputs["atlas"], source, job.inputs["text"], job.result)

    components.follow("probe", on_done=take)
    reading = cache.reading(atlas.id, model, text)
    if reading is None and not components.is_active("probe"):
        if not is_asked:
            st.caption("This text takes more than a moment. Press Read to start.")
            return None
        components.start(
            tasks.probe(
                resources.shelf(), resources.workspace(), model=source, atlas=atlas.id, text=text
            )
        )
        st.rerun()
    return reading


def show(atlas: NetworkAtlas, network: int, reading: Reading) -> None:
    """Draw the text, the networks ranked, and what is at the picked token."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        colouring = atlas_frame.section(
            probe_text.COLOURING, key="probe-colouring", label="Colour tokens by"
        )
        probe_text.show_tokens(atlas, network, reading, colouring)
        probe_text.facts(reading)
        token = probe_text.picked(reading)
        if token is None:
            st.caption("Press a token to see all networks there.")
        else:
            probe_text.at_token(atlas, network, reading, token)
    with right:
        if colouring == "strongest":
            st.subheader("Tokens won", anchor=False)
            st.caption("Each token has the colour of the network that is strongest there.")
            probe_text.legend(atlas, reading)
        else:
            st.subheader(
                "Networks on this text", anchor=False, help=glossary.tip("dual_regression")
            )
            st.caption("Mean energy on this text over that in the recording.")
            probe_text.ranking(atlas, reading)
    st.subheader("Networks × tokens", anchor=False, help=glossary.tip("time_course"))
    components.picture(
        networks_over_tokens(
            reading.relative(),
            reading.pieces,
            names=[resources.network_name(atlas.id, k) for k in range(atlas.n_networks)],
            is_dummy=reading.is_dummy,
            selected=network,
            palette=components.palette(),
        ),
        key="probe-map",
        made=recipes.code(
            "probe", atlas=atlas.id, model=state.view().model, text=state.view().text
        ),
    )


opened = atlas_frame.open_atlas(
    "Probe", "Type a text, and see which networks it lights up, token by token."
)
if opened is not None:
    is_asked = probe_text.text_box()
    with components.explaining():
        reading = read(opened[0], state.view().text, is_asked=is_asked)
        if reading is not None:
            show(*opened, reading)
