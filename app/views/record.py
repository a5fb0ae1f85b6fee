"""Record: choose texts, see what it will take, record, and look at the recording."""

import streamlit as st

from app import (
    components,
    figures,
    glossary,
    resources,
    settings,
    state,
    strips,
    tasks,
    text_picker,
)
from app.jobs import Job
from app.texts import TextChoice
from fnprune_core.models import LanguageModel
from fnprune_core.recording import RecordingSettings


def show_estimate(model: LanguageModel, choice: TextChoice, chosen: RecordingSettings) -> None:
    """Say what it will take, before the button."""
    if choice.needs_network:
        st.caption("A data set is fetched first; time and size are known when it is here.")
        return
    with st.spinner("Estimating"):
        expected = resources.estimate(model.fingerprint, choice, chosen, model)
    with st.container(horizontal=True):
        st.metric("Tokens", f"{expected.n_tokens:,}", help=glossary.tip("scan"))
        st.metric("Sessions", f"{expected.n_sessions:,}", help=glossary.tip("run"))
        st.metric("Time", f"≈ {components.duration(expected.seconds)}")
        st.metric("Disk", components.size(expected.disk_bytes))
        st.metric("Memory", f"≈ {components.size(expected.memory_bytes)}")


def show_form() -> None:
    """Choose texts and settings, see what it takes, and start."""
    view = state.view()
    choice = text_picker.pick_texts("record", split="calibration")
    chosen = settings.recording_settings()
    model = resources.language_model(view.model)
    if components.is_active("record", "load"):
        return
    if model is None:
        if st.button("Load the model and estimate", icon=":material/memory:", type="primary"):
            components.start(tasks.load(resources.shelf(), view.model))
            st.rerun()
    elif choice is not None:
        show_estimate(model, choice, chosen)
        if st.button("Record", type="primary", icon=":material/fiber_manual_record:"):
            components.start(
                tasks.record(
                    resources.shelf(),
                    resources.workspace(),
                    model=view.model,
                    texts=choice,
                    settings=chosen,
                )
            )
            st.rerun()


def take_result(job: Job) -> None:
    """Look at what was recorded."""
    if job.kind == "record":
        state.open_recording(job.result)
        state.notify("Recorded")


def show_recording() -> None:
    """Draw the carpet and per-layer statistics of the view's recording."""
    recording = resources.recording(state.view().recording)
    st.subheader("The recording", anchor=False)
    titles = strips.session_titles(recording.tokens)
    session = st.selectbox(
        "Session",
        range(len(titles)),
        format_func=titles.__getitem__,
        key="record-session",
        help=glossary.tip("run"),
    )
    values, layers = resources.carpet(recording.id, session)
    colours = components.palette()
    components.picture(
        figures.carpet_plot(
            values, layers, palette=colours, n_dummy_tokens=recording.windows.n_dummy_tokens
        ),
        key="carpet",
    )
    components.picture(
        figures.layer_lines(
            recording.layer_statistics(),
            {
                "median_sd": "typical unit (median deviation)",
                "max_sd": "loudest unit (largest deviation)",
                "max_on_dummy_tokens": "largest on dummy tokens",
            },
            title="activation (log)",
            palette=colours,
        ),
        key="layers",
    )
    if st.button("Find its networks", type="primary", icon=":material/hub:"):
        st.switch_page(components.DECOMPOSE)


components.heading(
    "Record",
    "The model reads texts; every unit's activation at every token is kept, as a scanner keeps "
    "every voxel's signal at every scan.",
    terms=("bold", "scan", "haemodynamics"),
)
with st.container(border=True):
    with components.explaining():
        show_form()
    components.follow("record", "load", on_done=take_result)
with components.explaining():
    if state.view().recording:
        show_recording()
