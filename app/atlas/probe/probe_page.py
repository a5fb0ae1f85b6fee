"""Probe page: a text of one's own, and the networks that it lights up."""

import streamlit as st

from app.atlas import random_directions, text_box
from app.atlas.atlas_tasks import probe
from app.atlas.probe import panels
from app.atlas.probe.figures import networks_over_tokens
from app.shell import glossary, recipes, resources, view_state
from app.shell.caches import probe as cache
from app.shell.jobs.job import Job
from app.widgets import atlas_frame, frame, job_progress, model_offer
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.probe import Reading


def read(atlas: NetworkAtlas, text: str, *, is_asked: bool) -> Reading | None:
    """Return the reading of a text, or say what is missing; a long text is read when asked for."""
    model = model_offer.in_memory(atlas)
    if not text:
        if is_asked:
            st.info("Type or paste a text first, or press an example.", icon=":material/edit:")
        return None
    source = view_state.view().model

    def keep_reading(job: Job) -> None:
        key = (job.inputs["atlas"], source, job.inputs["text"])
        cache.READINGS.put(key, job.result)

    job_progress.follow("probe", on_done=keep_reading)
    reading = None if model is None else cache.reading(atlas.id, model, text)
    if reading is None and not job_progress.is_active("probe"):
        if not is_asked:
            why = "takes longer to read" if model is not None else "is read by the model"
            st.caption(f"This text {why}. Press Read to start.")
            model_offer.will_be_loaded(model)
            return None
        job_progress.run(probe(model=source, atlas=atlas.id, text=text))
    return reading


def show(atlas: NetworkAtlas, network: int, reading: Reading) -> None:
    """Draw the text, the networks ranked, and the networks at the picked token."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        colouring = atlas_frame.section(
            panels.COLOURING, key="probe-colouring", label="Colour tokens by"
        )
        panels.show_tokens(atlas, network, reading, colouring)
        panels.facts(reading)
        token = panels.selected_token(reading)
        if token is None:
            st.caption("Press a token to see all networks there.")
        else:
            panels.at_token(atlas, network, reading, token)
    with right:
        if colouring == "strongest":
            st.subheader("Tokens by strongest network", anchor=False)
            st.caption("Each token has the colour of the network that is strongest there.")
            panels.legend(atlas, reading)
        else:
            st.subheader(
                "Networks on this text", anchor=False, help=glossary.tip("dual_regression")
            )
            st.caption("Mean energy on this text over that in the recording.")
            panels.ranking(atlas, reading)
            random_directions.offer(atlas, key="probe")
            panels.beside(network, reading)
    st.subheader("Networks × tokens", anchor=False, help=glossary.tip("time_course"))
    draw_picture(
        networks_over_tokens(
            reading.relative(),
            reading.pieces,
            names=resources.network_names(atlas.id),
            is_dummy=reading.is_dummy,
            selected=network,
            palette=frame.palette(),
        ),
        key="probe-map",
        made=recipes.code(
            "probe", atlas=atlas.id, model=view_state.view().model, text=view_state.view().text
        ),
    )


atlas_and_network = atlas_frame.open_atlas(
    "Probe", "Type a text, and see which networks it lights up, token by token."
)
if atlas_and_network is not None:
    is_asked = text_box.text_box("probe")
    with frame.explaining():
        reading = read(atlas_and_network[0], view_state.view().text, is_asked=is_asked)
        if reading is not None:
            show(*atlas_and_network, reading)
