"""The choice of a model: embedded, of the Hugging Face cache, an id, a folder, a GGUF file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.shell import navigation, resources, session_state, view_state
from app.shell.jobs import tasks
from app.shell.jobs.job import Job
from app.shell.wording import count, plain, sentence, size
from app.widgets import job_progress
from app.widgets.controls import button, choose

if TYPE_CHECKING:
    from fnprune_core.models.language_model import Anatomy
    from fnprune_core.models.sources.cached import CachedModel
    from fnprune_core.models.sources.fits import Requirement

_OWN = "Your own"
_SOURCE, _CACHED = "start-own-model", "start-cached-model"


def show_model() -> None:
    """Draw the choice of a model, what it takes, the button that loads it, and its anatomy."""
    view = view_state.view()
    kind = choose(
        "Which model",
        ["Embedded", _OWN],
        key="start-model",
        default="Embedded" if view.model == "embedded" else _OWN,
    )
    source = "embedded"
    if kind == _OWN:
        source = _own_source(view.model)
    else:
        st.markdown("SmolLM2-135M-Instruct comes with fnprune and needs no network.")
    anatomy = resources.anatomy(source) if source else None
    is_chosen = view.model == source and anatomy is not None
    job_progress.follow("load", on_done=take_model)
    if source and not is_chosen and not job_progress.is_active("load"):
        if anatomy is not None:
            button("Use this model", "download", does=_load, args=(source,))
        elif source == "embedded":
            button("Load", "download", does=_load, args=(source,))
        else:
            _offer(source)
    if anatomy is not None and is_chosen:
        anatomy_table(anatomy)


def _own_source(current: str) -> str:
    """Draw the list of models in the cache, and the box that takes any; return the source."""
    cached = {model.source: model for model in resources.cached_models()}
    if cached:
        st.selectbox(
            "In the Hugging Face cache",
            list(cached),
            index=None,
            format_func=lambda source: (
                f"{source} · {size(cached[source].size_bytes)} · {_standing(cached[source])}"
            ),
            placeholder=f"{count(len(cached), 'model')} on this machine",
            key=_CACHED,
            on_change=_take_cached,
        )
    source = st.text_input(
        "Hugging Face id, folder or GGUF file",
        value="" if current == "embedded" else current,
        placeholder="Qwen/Qwen2.5-0.5B, or a path",
        key=_SOURCE,
        help="An id may have a revision behind it, `owner/name@revision`: a branch, a tag or a "
        "commit.",
    ).strip()
    model = cached.get(source)
    if model is not None and model.standing:
        st.caption(f":material/info: {sentence(model.source)}: {plain(model.standing)}.")
    return source


def _standing(model: CachedModel) -> str:
    """Return what is known of a cached model without reading a weight, in a few words."""
    if model.standing:
        return "incomplete" if "weights" in model.standing else "cannot be used"
    return f"{model.model_type}, {'known' if model.is_known else 'found by structure'}"


def _take_cached() -> None:
    """Put the model that was chosen from the cache into the box."""
    st.session_state[_SOURCE] = st.session_state[_CACHED] or ""


def _offer(source: str) -> None:
    """Draw what a model takes, and the button that loads it; or what would fit instead."""
    with st.spinner("Looking at the model"):
        needed = resources.model_requirement(source)
    st.caption(_facts(needed))
    if needed.fits:
        words = f"Download {size(needed.download_bytes)} and load" if needed.download_bytes else ""
        button(words or "Load", "download", does=_load, args=(source,))
        return
    st.warning(
        f"It does not fit: {size(needed.memory_bytes)} in {needed.dtype}, "
        f"{size(needed.free_bytes or 0)} free. {sentence(needed.way_out)}",
        icon=":material/memory:",
    )
    plain_source = source.rpartition("?")[0] or source
    for label, option in (("Load in bfloat16", "dtype=bfloat16"), ("Spread it", "device=sharded")):
        if resources.model_requirement_fits(f"{plain_source}?{option}", option):
            button(label, "download", does=_load, args=(f"{plain_source}?{option}",))


def _facts(needed: Requirement) -> str:
    """Return what a model is and takes, as a line."""
    parts = [
        f"{needed.n_parameters / 1e6:,.0f} M parameters",
        f"{size(needed.memory_bytes)} of memory in {needed.dtype} on {needed.device}",
    ]
    if needed.free_bytes is not None:
        parts.append(f"{size(needed.free_bytes)} free")
    parts.append(
        f"type {plain(needed.model_type)}"
        if needed.is_known
        else f"type {plain(needed.model_type)}, whose units are found as it is loaded"
    )
    if needed.quantisation:
        parts.append(f"quantised ({plain(needed.quantisation)}): recorded, not pruned")
    parts.append("has a chat template" if needed.has_chat_template else "no chat template")
    return " · ".join(parts)


def _load(source: str) -> None:
    job_progress.start(tasks.load(model=source))


def take_model(job: Job) -> None:
    """Select a model that was loaded; the recording of another model is deselected."""
    if job.inputs["model"] != view_state.view().model:
        navigation.open_recording("")
        view_state.change(model=job.inputs["model"])
    session_state.notify(f"{job.result.name} is loaded")


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
