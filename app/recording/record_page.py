"""Record: choose texts, see what it will take, record, and look at the recording."""

import streamlit as st

from app.recording import figures, settings
from app.recording.recording_tasks import record
from app.shell import glossary, navigation, resources, session_state, view_state, wording
from app.shell.caches import networks
from app.shell.jobs import tasks
from app.shell.jobs.job import Job
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, text_picker
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.recording import carpet
from fnprune_core.recording.record import estimate_recording
from fnprune_core.recording.recording import Recording, RecordingSettings
from fnprune_core.texts.chat import has_chat_template

_N_CARPET_ROWS = 480


def show_estimate(
    model: LanguageModel, choice: TextChoice, recording_settings: RecordingSettings
) -> None:
    """Draw the estimate of time and memory, before the button."""
    if choice.needs_network:
        st.caption("The data set is downloaded first; time and size are shown after that.")
        return
    with st.spinner("Estimating"):
        windows = resources.windows_to_record(choice, recording_settings, model)
        expected = estimate_recording(model, windows, recording_settings)
    with st.container(horizontal=True):
        st.metric("Tokens", f"{expected.n_tokens:,}", help=glossary.tip("scan"))
        st.metric("Sessions", f"{expected.n_sessions:,}", help=glossary.tip("run"))
        st.metric("Time", f"≈ {wording.duration(expected.seconds)}")
        st.metric("Disk", wording.size(expected.disk_bytes))
        st.metric("Memory", f"≈ {wording.size(expected.memory_bytes)}")
    if has_chat_template(model.tokenizer) and not recording_settings.chat:
        st.caption("The model has a chat template, which is not applied (*How texts are cut*).")


def show_form() -> None:
    """Draw the choice of texts and settings, the estimate, and the button that starts."""
    view = view_state.view()
    choice = text_picker.pick_texts("record", split="calibration")
    recording_settings = settings.recording_settings()
    model = resources.language_model(view.model)
    if job_progress.is_active("record", "load"):
        return
    if model is not None and choice is not None:
        show_estimate(model, choice, recording_settings)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_pressed = button("Record", "fiber_manual_record", kind="primary", is_off=choice is None)
        if model is None and st.button("Load the model and estimate", icon=":material/memory:"):
            job_progress.run(tasks.load(model=view.model))
    if is_pressed and choice is not None:
        job_progress.run(record(model=view.model, texts=choice, settings=recording_settings))


def take_result(job: Job) -> None:
    """Select the recording that was made."""
    if job.kind == "record":
        navigation.open_recording(job.result)
        session_state.notify("Recorded")


def show_recording() -> None:
    """Draw the carpet, if signals are kept, and per-layer statistics of the view's recording."""
    recording = resources.recording(view_state.view().recording)
    st.subheader("The recording", anchor=False)
    if recording.summary is None:
        show_carpet(recording)
    else:
        st.caption(
            f"{recording.n_tokens:,} tokens in {recording.n_sessions:,} sessions. A summary is "
            f"kept, in which up to {recording.summary.most_networks:,} networks can be found; for "
            "a carpet of single units, record again and keep all signals."
        )
    draw_picture(
        figures.layer_lines(
            recording.layer_statistics(),
            {
                "median_sd": "typical unit (median deviation)",
                "max_sd": "loudest unit (largest deviation)",
                "max_on_dummy_tokens": "largest on dummy tokens",
            },
            title="activation (log)",
            palette=frame.palette(),
        ),
        key="layers",
    )
    show_routing(recording)
    if st.button("Find its networks", type="primary", icon=":material/hub:"):
        st.switch_page(frame.DECOMPOSE)


def show_routing(recording: Recording) -> None:
    """Say what a token sees of a mixture of experts, with the share of tokens of each expert."""
    routing = recording.routing()
    if routing is None:
        return
    per_token = routing.groupby("layer")["share"].sum().max()
    st.caption(
        f"A mixture of experts: a token sees at most {per_token:.0f} of up to "
        f"{routing['layer'].value_counts().max()} experts per layer. Units are those of all "
        "experts, expert after expert; an activation is weighted as the router weighs its expert, "
        "and is 0 for tokens that do not see it."
    )
    st.dataframe(
        routing,
        hide_index=True,
        column_config={
            "layer": "Layer",
            "expert": "Expert",
            "units": "Units",
            "share": st.column_config.NumberColumn("Share of tokens that it saw", format="percent"),
        },
    )


def show_carpet(recording: Recording) -> None:
    """Draw the choice of a session, and its carpet."""
    titles = networks.titles_of(recording.tokens)
    session = st.selectbox(
        "Session",
        range(len(titles)),
        format_func=titles.__getitem__,
        key="record-session",
        help=glossary.tip("run"),
    )
    units, layers = carpet.spread_units(recording.layout.widths, _N_CARPET_ROWS)
    values = carpet.session_z(recording, session, units)
    draw_picture(
        figures.carpet_plot(
            values,
            layers,
            palette=frame.palette(),
            n_dummy_tokens=recording.windows.n_dummy_tokens,
        ),
        key="carpet",
    )


frame.heading(
    "Record",
    "The model reads texts; every unit's activation at every token is recorded, as a scanner "
    "records every voxel's signal at every scan.",
    terms=("bold", "scan", "haemodynamics"),
)
with st.container(border=True):
    with frame.explaining():
        show_form()
    job_progress.follow("record", "load", on_done=take_result)
with frame.explaining():
    if view_state.view().recording:
        show_recording()
