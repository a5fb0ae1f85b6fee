"""What stands below the first picture of Start: the example's networks, a model, earlier work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from app.shell import navigation, resources, session_state, view_fields, view_state
from app.shell.caches import trust
from app.shell.images import kept
from app.shell.jobs import tasks
from app.shell.jobs.job import Job
from app.shell.wording import plain, size
from app.start.earlier_work import earlier_work
from app.start.example_button import open_example
from app.start.health import damaged_work, verification
from app.start.start_tasks import example
from app.widgets import frame, job_progress
from app.widgets.controls import choose
from app.widgets.frame import ATLAS, DECOMPOSE, PRUNE, RECORD
from app.widgets.gallery import gallery, tiles
from fnprune_core.example.ids import ExampleIds

if TYPE_CHECKING:
    from fnprune_core.models.language_model import Anatomy


def draw(example_ids: ExampleIds | None, *, is_laid_out: bool) -> None:
    """Draw it; `is_laid_out` tells whether the example has a cortex."""
    left, right = st.columns([5, 2], gap="large")
    with left:
        show_example(example_ids, is_laid_out=is_laid_out)
    with right:
        st.subheader("Model", anchor=False)
        with frame.explaining():
            show_model()
    job_progress.own_jobs("example", "load")
    with frame.explaining():
        entries, damaged = resources.workspace().contents()
        earlier_work(entries)
        damaged_work(damaged)
        if entries or damaged:
            verification()


def steps() -> None:
    """Draw the path from a text to a pruned model, each step a link."""
    st.subheader("Or go step by step", anchor=False)
    for page, label, text in (
        (RECORD, "Record", "the model reads texts, and every unit's activation is kept"),
        (DECOMPOSE, "Decompose", "ICA finds the units that are active together"),
        (ATLAS, "Atlas", "see where each network is and what it responds to"),
        (PRUNE, "Prune", "choose what to protect, and watch what that costs"),
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(page, label=label, width=130)
            st.caption(text, width="stretch")


def anatomy_table(anatomy: Anatomy) -> None:
    """Draw a model's anatomy."""
    widths = sorted(set(anatomy.widths))
    width = f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}"
    heads = f"{anatomy.n_heads} of {anatomy.head_size}"
    if anatomy.n_kv_heads != anatomy.n_heads:
        heads += f", {anatomy.n_kv_heads} key-value"
    share = anatomy.n_mlp_parameters / anatomy.n_parameters
    st.table(
        {
            "Family": plain(anatomy.family),
            "Layers": f"{anatomy.n_layers}",
            "Units": f"{anatomy.n_units:,} ({width} per layer)",
            "Attention": f"{heads}",
            "Parameters": f"{anatomy.n_parameters / 1e6:,.1f} M, {100 * share:.0f} % in MLPs",
            "Memory": f"{size(anatomy.parameter_bytes)}, {anatomy.dtype} on {anatomy.device}",
            "Export with bias": "possible" if anatomy.bias_home != "none" else "not possible",
        },
        border="horizontal",
        alt="Anatomy of the model",
    )


def show_example(example_ids: ExampleIds | None, *, is_laid_out: bool) -> None:
    """Offer the example: a real atlas at once, or the button that builds it."""
    if example_ids is None:
        job_progress.offer(
            "example", "Build the example", "play_arrow", example, done="The example is ready",
            kind="primary",
            before="The embedded model reads texts that come with Python, and its networks are "
            "found. This is done once and takes about two minutes.",
        )  # fmt: skip
        steps()
        return
    with frame.explaining():
        st.caption(
            "Each picture is one functional network of SmolLM2-135M, in the layer of "
            "its peak: neurons that are active together lie side by side, warm and cold ones with "
            "opposite signs. The grey is how active each neuron is in all networks."
        )
        gallery(
            example_tiles(example_ids.decomposition_id, is_laid_out=is_laid_out),
            selected=None,
            key="start-gallery",
            name="Networks of the example",
            on_pick=open_example,
        )


def example_tiles(atlas_id: str, *, is_laid_out: bool) -> Sequence[dict[str, Any]]:
    """Return the example's tiles, of networks that recur first; as they are at first, kept."""
    view = view_state.view()
    is_usual = view.z == view_fields.DEFAULT_Z and not (atlas_id == view.atlas and view.dropped)
    if not (is_laid_out and is_usual):
        return tiles(atlas_id, trust.recurring_first(atlas_id))
    shown = kept.facts(
        atlas_id, "tiles", lambda: {"tiles": tiles(atlas_id, trust.recurring_first(atlas_id))}
    )
    return cast(Sequence[dict[str, Any]], shown["tiles"])


def show_model() -> None:
    """Draw the choice of a model, the button that loads it, and its anatomy."""
    view = view_state.view()
    own_label = "Your own"
    kind = choose(
        "Which model",
        ["Embedded", own_label],
        key="start-model",
        default="Embedded" if view.model == "embedded" else own_label,
    )
    source = "embedded"
    if kind == own_label:
        source = st.text_input(
            "Hugging Face id, folder or GGUF file",
            value="" if view.model == "embedded" else view.model,
            placeholder="Qwen/Qwen2.5-0.5B, or a path on this machine",
            key="start-own-model",
        ).strip()
    else:
        st.markdown("SmolLM2-135M-Instruct comes with fnprune and needs no network.")
    anatomy = resources.anatomy(source) if source else None
    is_chosen = view.model == source and anatomy is not None
    job_progress.follow("load", on_done=take_model)
    if not is_chosen and not job_progress.is_active("load"):
        label = "Use this model" if anatomy else "Load"
        if st.button(label, icon=":material/download:", disabled=not source):
            job_progress.run(tasks.load(model=source))
    if anatomy is not None and is_chosen:
        anatomy_table(anatomy)


def take_model(job: Job) -> None:
    """Select a model that was loaded; the recording of another model is deselected."""
    if job.inputs["model"] != view_state.view().model:
        navigation.open_recording("")
        view_state.change(model=job.inputs["model"])
    session_state.notify(f"{job.result.name} is loaded")
