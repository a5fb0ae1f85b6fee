"""Form of a plan and the button Apply, with what is wrong beside it before anything starts."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from app import pages
from app.pruning import checks, comparison, training_note
from app.pruning.lab.settings import plan_settings
from app.pruning.tasks import PLAN, PruneOrder, prune
from app.shell import resources, view_state
from app.shell.jobs import Job, describe_error
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, pinned_units, text_picker
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.scores.units import SCORES

_LOG = "decisions of the plan that is being made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Settings in the form, or why no plan is possible with them."""

    settings: PlanSettings | None = None
    refused: FnpruneError | None = None


def draw_form() -> Asked:
    """Draw the form of a plan; return its settings, or the error that refuses them."""
    view = view_state.view()
    try:
        settings = pinned_units.with_pins(plan_settings())
    except FnpruneError as error:  # its widgets are drawn: the page goes on
        return Asked(refused=error)
    recording = resources.recording(view.recording)
    model = resources.language_model(view.model)
    refusal = _wrong_model_error(model, recording.fingerprint) or checks.refusal(
        settings,
        recording.layout,
        has_dummy_tokens=bool(recording.windows.n_dummy_tokens),
    )
    warning = planner.bias_warning(model, settings) if model is not None else ""
    if warning:
        st.warning(warning, icon=":material/warning:")
    return Asked(settings=settings, refused=refusal)


def _wrong_model_error(model: LanguageModel | None, fingerprint: str) -> FnpruneError | None:
    """Return an error if the model in memory is not the recording's; the job would say it late."""
    if model is not None:
        try:
            model.check_fingerprint(fingerprint, "recording")
        except FnpruneError as error:
            return error
    return None


def apply(atlas: NetworkAtlas, form_state: Asked) -> None:
    """Draw the rivals and the text to measure on, and the button that starts the plan."""
    rivals = st.pills(
        "Compare with",
        [name for name, row in SCORES.items() if row.is_rival],
        selection_mode="multi",
        default=["flap", "random"],
        format_func=lambda name: SCORES[name].label,
        wrap=True,
        key="prune-rivals",
        persist_state="session",
        help="At the same ratio, allocation, pins and compensation; random with several seeds. "
        "A method as published brings its authors' allocation and compensation.",
    )
    with st.expander("Text to measure on", icon=":material/menu_book:"):
        texts = text_picker.pick_texts("evaluate", split="held-out")
        windows = st.number_input(
            "Windows at most", 1, 4096, 24, key="prune-windows", persist_state="session"
        )
    if job_progress.is_active("prune"):
        job_progress.follow("prune", on_done=take_plan)
        return
    _show_problems(atlas, form_state)
    order = None
    if texts is not None and form_state.settings is not None and form_state.refused is None:
        order = _order(form_state.settings, rivals, texts, int(windows))
        training_note.show_note(list(order.wanted().values()))
    job_progress.queue_note()
    is_pressed = st.button(
        "Apply",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key="prune-apply",
        disabled=order is None,
    )
    if is_pressed and order is not None:
        task = prune(order)
        log = view_state.decisions()
        view_state.remember(_LOG, log)
        job_progress.start(checks.with_log(task, resources.workspace(), log))
        st.rerun()


def _order(
    settings: PlanSettings, rivals: Sequence[str], texts: TextChoice, max_windows: int
) -> PruneOrder:
    view = view_state.view()
    return PruneOrder(
        model=view.model,
        recording=view.recording,
        atlas=view.atlas,
        settings=settings,
        baselines=tuple(name for name in rivals if name != settings.score),
        texts=texts,
        window=resources.recording(view.recording).windows.window,
        max_windows=max_windows,
    )


def _show_problems(atlas: NetworkAtlas, form_state: Asked) -> None:
    """Draw beside the button why it is off, or what to know before it is pressed."""
    if form_state.refused is not None:
        frame.error(describe_error(form_state.refused))
    elif form_state.settings is not None and SCORES[form_state.settings.score].fixes:
        st.info(
            f"{SCORES[form_state.settings.score].label}: allocation and compensation are its "
            "authors', whatever is chosen here.",
            icon=":material/info:",
        )
    elif form_state.settings is not None:
        is_whole = form_state.settings.preserved in (None, tuple(range(atlas.n_networks)))
        if is_whole and SCORES[form_state.settings.score].weighting.of_networks:
            st.info(
                "All networks are preserved: network energy is FLAP's score then, and the plan "
                "cuts what FLAP cuts.",
                icon=":material/info:",
            )


def take_plan(job: Job) -> None:
    """Select the plan, with the log of this session: another may have started the job."""
    plan = job.result.plan_ids[PLAN]
    view_state.change(plan=plan)
    log = view_state.recall(_LOG)
    if log:
        with suppress(FnpruneError):  # the log on the page tells of damaged notes
            decision_log.add_decisions(resources.workspace(), plan, log)
    view_state.notify("Measured")


def results() -> None:
    """Draw the running comparison, a stopped one, or the finished one of the view's plan."""
    job = job_progress.job_of("prune")
    if job is not None and job.is_active:
        comparison.live(job.id)
        return
    job_progress.follow("prune", on_done=take_plan)
    if job is not None and job.state == "cancelled":
        comparison.stopped(job)
        return
    view = view_state.view()
    plan = view.plan
    if not plan:
        return
    job_of_plan = comparison.job_of(plan)
    st.subheader("Perplexity", anchor=False)
    if resources.plan(plan).recording_id != view.recording:
        st.warning(
            "The open plan was made from another recording: its networks are not those above. "
            "The page Plans opens it with its own.",
            icon=":material/warning:",
        )
    plan_results = (
        comparison.results_of(job_of_plan) if job_of_plan else comparison.stored_results(plan)
    )
    comparison.draw(plan_results, key="final", made_of=plan)
    st.subheader("What goes", anchor=False)
    comparison.removal(plan)
    next_steps()


def next_steps() -> None:
    """Draw links to the pages that go on with a plan."""
    st.subheader("Go on with this plan", anchor=False)
    for page in pages.AFTER:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(page.path, label=page.title, icon=f":material/{page.icon}:", width=140)
            st.caption(page.help, width="stretch")
