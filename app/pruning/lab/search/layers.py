"""Search of the layers that give more: whole plans tried on calibration text, and their weights."""

from functools import partial

import streamlit as st

from app.figures.layer_profile import shares_profile
from app.pruning import training_note
from app.pruning.lab.search.search_tasks import LayersJob, search_layers
from app.shell import recipes, resources, view_state, wording
from app.shell.jobs import Job
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, model_offer
from app.widgets.picture import draw_picture
from fnprune_core.errors import FnpruneError
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.search.allocation import AllocationOrder, AllocationSearch

_KIND = "layers"


def show(settings: PlanSettings, texts: TextChoice | None) -> None:
    """Offer the search for the plan in the form; draw its result."""
    job_progress.follow(_KIND, on_done=_keep_result)
    if job_progress.is_active(_KIND):
        return
    result = view_state.widget(_session_key(view_state.view().recording, view_state.view().atlas))
    if isinstance(result, AllocationSearch):
        _draw_result(result)
    _offer_search(settings, texts)


def _session_key(recording: str, atlas: str | None) -> str:
    """Return the session's key of an atlas's search."""
    return f"layers of {recording} {atlas}"


def _offer_search(settings: PlanSettings, texts: TextChoice | None) -> None:
    view = view_state.view()
    try:
        order = AllocationOrder(
            recording_id=view.recording, decomposition_id=view.atlas, base=settings
        )
    except FnpruneError as error:
        st.info(wording.sentence(f"{error.message} {error.hint}"), icon=":material/info:")
        return
    n_plans = order.n_plans(resources.recording(view.recording).layout.n_layers)
    st.caption(
        f"{wording.count(n_plans, 'plan')} of this size are made and measured: each "
        "takes a little more from one block of layers, the last three move all of them. On the "
        "embedded model about five minutes with least squares."
    )
    training_note.show_note([settings] * n_plans)
    model_offer.will_be_loaded(resources.language_model(view.model))
    is_pressed = st.button(
        "Search", icon=":material/balance:", key="layers-start", disabled=texts is None
    )
    if is_pressed and texts is not None:
        job = LayersJob(model=view.model, order=order, texts=texts)
        job_progress.start(search_layers(job))
        st.rerun()


def _keep_result(job: Job) -> None:
    order = job.inputs["order"]
    view_state.remember(_session_key(order["recording_id"], order["decomposition_id"]), job.result)
    view_state.notify("Allocation searched")


def _draw_result(result: AllocationSearch) -> None:
    draw_picture(
        shares_profile(result.first_shares, result.best_shares, palette=frame.palette()),
        key="layers-shares",
        made=recipes.code(
            "allocation",
            atlas=view_state.view().atlas,
            model=view_state.view().model,
            settings=recipes.changed_settings(result.base),
        ),
    )
    gain = result.gain
    if not result.settings.layer_weights:
        st.markdown("**None of these was better than what it began with.**")
        return
    st.markdown(
        f"**{gain.text(digits=3)} nats per token** on the text of "
        f"the search, paired by window: perplexity {result.best.perplexity:.2f}, before "
        f"{result.first.perplexity:.2f}."
    )
    weights = ", ".join(f"{weight:g}" for weight in result.settings.layer_weights)
    st.button(
        "Use these weights",
        icon=":material/check:",
        key="layers-use",
        on_click=partial(_use_weights, weights),
    )


def _use_weights(weights: str) -> None:
    view_state.remember("prune-allocation", WEIGHTED)
    view_state.remember("prune-weights", weights)
