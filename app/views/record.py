"""Record: choose texts, see what it will take, record, and look at the recording."""

import streamlit as st

from app import components, figures, resources, state, strips, tasks, text_picker
from app.jobs import Job
from app.texts import TextChoice
from fnprune_core.models import LanguageModel
from fnprune_core.recording import RecordingSettings

TOKENS = [4096, 8192, 16384, 32768, 65536, 131072, 262144]


def choose_settings() -> RecordingSettings:
    """Ask how texts are cut; the defaults suit most."""
    tokens = st.select_slider(
        "Tokens to read at most",
        TOKENS,
        value=16384,
        format_func=lambda n: f"{n:,}",
        key="record-tokens",
        persist_state="session",
    )
    with st.expander("How texts are cut", icon=":material/tune:"):
        window = st.number_input("Window, tokens", 16, 8192, 512, key="record-window")
        dummy = st.number_input(
            "Dummy tokens at the start of each window",
            0,
            64,
            4,
            key="record-dummy",
            help="Attention sinks: left out of statistics, as the first scans of a run are.",
        )
        pack = st.toggle("Join short documents of a domain", key="record-pack")
    return RecordingSettings(
        window=int(window), n_dummy_tokens=int(dummy), max_tokens=tokens, pack=pack
    )


def show_estimate(model: LanguageModel, choice: TextChoice, settings: RecordingSettings) -> None:
    """Say what it will take, before the button."""
    if choice.needs_network:
        st.caption("A data set is fetched first; time and size are known when it is here.")
        return
    with st.spinner("Estimating"):
        expected = resources.estimate(model.fingerprint, choice, settings, model)
    with st.container(horizontal=True):
        st.metric("Tokens", f"{expected.n_tokens:,}")
        st.metric("Sessions", f"{expected.n_sessions:,}")
        st.metric("Time", f"≈ {components.duration(expected.seconds)}")
        st.metric("Disk", components.size(expected.disk_bytes))
        st.metric("Memory", f"≈ {components.size(expected.memory_bytes)}")


def show_form() -> None:
    """Choose texts and settings, and start."""
    view = state.view()
    choice = text_picker.pick_texts("record", split="calibration")
    settings = choose_settings()
    model = resources.language_model(view.model)
    if model is None:
        components.follow("load", on_done=lambda job: None)
        if not components.is_active("load") and st.button(
            "Load the model and estimate", icon=":material/memory:", type="primary"
        ):
            components.start(tasks.load(resources.shelf(), view.model))
            st.rerun()
        return
    if choice is None:
        return
    show_estimate(model, choice, settings)
    if st.button("Record", type="primary", icon=":material/fiber_manual_record:"):
        components.start(
            tasks.record(
                resources.shelf(),
                resources.workspace(),
                model=view.model,
                texts=choice,
                settings=settings,
            )
        )
        st.rerun()


def take_recording(job: Job) -> None:
    """Look at what was recorded."""
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
        help="One window of text.",
    )
    values, layers = resources.carpet(recording.id, session)
    colours = components.palette()
    components.picture(
        figures.carpet(
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
)
with st.container(border=True), components.explaining():
    if not components.is_active("record"):
        show_form()
    components.follow("record", on_done=take_recording)
with components.explaining():
    if state.view().recording:
        show_recording()
