"""The form of a plan and the button Apply: what is wrong is said beside it, before it starts."""

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
    """What the form holds: settings, or why no plan is possible with them."""

    settings: PlanSettings | None = None
    refused: FnpruneError | None = None


def draw_form() -> Asked:
    """Draw the form of a plan; what is impossible is known before any work starts."""
    view = view_state.view()
    try:
        chosen = pinned_units.with_pins(plan_settings())
    except FnpruneError as error:  # its widgets are drawn: the page goes on
        return Asked(refused=error)
    recording = resources.recording(view.recording)
    model = resources.language_model(view.model)
    refused = _of_another_model(model, recording.fingerprint) or checks.refusal(
        chosen,
        recording.layout,
        has_dummy_tokens=bool(recording.windows.n_dummy_tokens),
    )
    warning = planner.bias_warning(model, chosen) if model is not None else ""
    if warning:
        st.warning(warning, icon=":material/warning:")
    return Asked(settings=chosen, refused=refused)


def _of_another_model(model: LanguageModel | None, fingerprint: str) -> FnpruneError | None:
    """Return why the model in memory cannot be pruned by a recording; the job would say it late."""
    if model is not None:
        try:
            model.check_fingerprint(fingerprint, "recording")
        except FnpruneError as error:
            return error
    return None


def apply(atlas: NetworkAtlas, asked: Asked) -> None:
    """Draw what the plan is measured against and on, and the button that starts it."""
    rivals = st.pills(
        "Compare with",
        [name for name, row in SCORES.items() if row.is_rival],
        selection_mode="multi",
        default=["flap", "random"],
        format_func=lambda name: SCORES[name].label,
        wrap=True,
        key="prune-rivals",
        persist_state="session",
        help="At the same ratio, allocation, sink rule, pins and compensation; random with several "
        "seeds. FLAP as published brings its own allocation and no sink rule.",
    )
    with st.expander("Text to measure on", icon=":material/menu_book:"):
        texts = text_picker.pick_texts("evaluate", split="held-out")
        windows = st.number_input(
            "Windows at most", 1, 4096, 24, key="prune-windows", persist_state="session"
        )
    if job_progress.is_active("prune"):
        job_progress.follow("prune", on_done=take_plan)
        return
    _say_what_is_wrong(atlas, asked)
    order = None
    if texts is not None and asked.settings is not None and asked.refused is None:
        order = _order(asked.settings, rivals, texts, int(windows))
        training_note.show_note(list(order.wanted().values()), key="prune")
    pressed = st.button(
        "Apply",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key="prune-apply",
        disabled=order is None,
    )
    if pressed and order is not None:
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


def _say_what_is_wrong(atlas: NetworkAtlas, asked: Asked) -> None:
    """Say beside the button why it is off, or what to know before it is pressed."""
    if asked.refused is not None:
        frame.error(describe_error(asked.refused))
    elif asked.settings is not None:
        is_whole = asked.settings.preserved in (None, tuple(range(atlas.n_networks)))
        if is_whole and SCORES[asked.settings.score].weighting.of_networks:
            st.info(
                "All networks are preserved: network energy is FLAP's score then, and the plan "
                "cuts what FLAP cuts.",
                icon=":material/info:",
            )


def take_plan(job: Job) -> None:
    """Make the plan the view's, with the log of this session: another may have started the job."""
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
    own = comparison.job_of(plan)
    st.subheader("Perplexity", anchor=False)
    if resources.plan(plan).recording_id != view.recording:
        st.warning(
            "The open plan was made from another recording: its networks are not those above. "
            "The page Plans opens it with its own.",
            icon=":material/warning:",
        )
    found = comparison.results_of(own) if own else comparison.stored_results(plan)
    comparison.draw(found, key="final", made_of=plan)
    st.subheader("What goes", anchor=False)
    comparison.removal(plan)
    next_steps()


def next_steps() -> None:
    """Draw where one goes with a plan."""
    st.subheader("Go on with this plan", anchor=False)
    for page in pages.AFTER:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(page.path, label=page.title, icon=f":material/{page.icon}:", width=140)
            st.caption(page.help, width="stretch")
