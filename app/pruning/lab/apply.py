"""Form of a plan and the button Apply, with what is wrong beside it before anything starts."""

from contextlib import suppress
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import pages
from app.pruning import checks, commands, comparison, data, expectation, other_texts, training_note
from app.pruning.lab import log
from app.pruning.lab.settings import plan_settings
from app.pruning.prune_tasks import PLAN, PruneOrder, prune
from app.shell import choices, resources, session_state, view_state, wording
from app.shell.jobs.job import Job, describe_error
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, pinned_units, text_picker
from app.widgets.controls import number
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.expectation import N_WRITTEN
from fnprune_core.machine.load import busy_text
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.scores.units import SCORES

_RIVALS = ("flap", "random")
_RECENT_S = 120.0  # a pace of then was measured on the machine as it is now


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Settings in the form, or why no plan is possible with them."""

    settings: PlanSettings | None = None
    refused: FnpruneError | None = None

    @property
    def possible(self) -> PlanSettings | None:
        """The settings of a plan that can be made; None where there is none."""
        return self.settings if self.refused is None else None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a plan is measured on, and beside which rivals."""

    rivals: tuple[str, ...]
    texts: TextChoice | None
    max_windows: int


def choose_measure() -> Measure:
    """Draw the choice of rivals and of the text to measure on."""
    chosen = session_state.widget("prune-rivals")
    names = [SCORES[name].label for name in (_RIVALS if chosen is None else chosen)]
    label = f"Beside {', '.join(names)}" if names else "Beside the dense model alone"
    with st.popover(label, icon=":material/balance:", key="lab-measure", width="stretch"):
        rivals = st.pills(
            "Compare with",
            [name for name, row in SCORES.items() if row.is_rival],
            selection_mode="multi",
            default=list(_RIVALS),
            format_func=lambda name: SCORES[name].label,
            wrap=True,
            key="prune-rivals",
            persist_state="session",
            help="At the same ratio, allocation, pins and compensation; random with several "
            "seeds. A method as published brings its authors' allocation and compensation.",
        )
        st.markdown("**Text to measure on**")
        texts = text_picker.pick_texts("evaluate", split="held-out")
        windows = number("Windows at most", 1, 4096, 24, key="prune-windows")
    return Measure(rivals=tuple(rivals), texts=texts, max_windows=int(windows))


def apply(form_state: Asked, measure: Measure, button: DeltaGenerator) -> None:
    """Draw the button that starts the plan, with how long it takes, or the job that runs.

    Parameters
    ----------
    button : container
        Where the button stands.
    """
    if job_progress.is_active("prune"):
        job_progress.follow("prune", on_done=take_plan)
        return
    _show_problems(form_state)
    order = _order(form_state.possible, measure)
    job_progress.queue_note()
    is_pressed = button.button(
        "Apply",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key="prune-apply",
        disabled=order is None,
    )
    if order is not None:
        _show_cost(order)
    if is_pressed and order is not None:
        kept_log = choices.decisions()
        session_state.remember(log.PENDING, kept_log)
        job_progress.run(checks.with_log(prune(order), resources.workspace(), kept_log))


def _show_cost(order: PruneOrder) -> None:
    """Draw how long all of it takes, and the command that does the same."""
    training_note.show_note(list(order.wanted().values()))
    model = resources.language_model(order.model)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="lab-cost"):
        st.caption(_cost_text(order, model), width="stretch")
        commands.offer(commands.prune(order), key="lab")


def _cost_text(order: PruneOrder, model: LanguageModel | None) -> str:
    """Return how long Apply takes, and until its first figure."""
    if model is None:
        return "The model is loaded first; how long the rest takes is said then."
    try:
        cost = data.apply_cost(order, model)
    except FnpruneError as error:  # Apply says so, too
        return wording.sentence(error.message)
    if cost.seconds < 1:
        return "Measured before: shown at once."
    samples = ""
    if cost.writing >= 1:
        samples = (
            f", with {wording.duration(cost.writing)} for the samples that it and the dense model "
            f"write, of {N_WRITTEN} tokens each"
        )
    return (
        f"About {wording.duration(cost.seconds)} in all{samples}; the first perplexity of your "
        f"plan after about {wording.duration(cost.first_seconds)}. {_assumption(model)}"
    )


def _assumption(model: LanguageModel) -> str:
    """Return what an estimate rests on: when the model's pace was measured, and a quiet machine."""
    age, busy = model.pace.age_s("reading"), busy_text()
    is_recent = age is None or age < _RECENT_S
    when = "just now" if is_recent else f"{wording.duration(age or 0)} ago"
    text = f"At the model's pace of {when}"
    if not busy:
        return f"{text}, if nothing else computes on this machine."
    if is_recent:
        return f"{text}, while {busy}: sooner if it gets quiet."
    return f"{text}. The machine is busy now ({busy}), so it may take several times as long."


def _order(settings: PlanSettings | None, measure: Measure) -> PruneOrder | None:
    """Return the order of Apply; None where the form or the text lacks something."""
    if settings is None or measure.texts is None:
        return None
    view = view_state.view()
    return PruneOrder(
        model=view.model,
        recording=view.recording,
        atlas=view.atlas,
        settings=settings,
        baselines=tuple(name for name in measure.rivals if name != settings.score),
        texts=measure.texts,
        window=resources.recording(view.recording).windows.window,
        max_windows=measure.max_windows,
    )


def _show_problems(form_state: Asked) -> None:
    """Draw beside the button why it is off, or what to know before it is pressed."""
    if form_state.refused is not None:
        frame.error(describe_error(form_state.refused))
    elif form_state.settings is not None and SCORES[form_state.settings.score].fixes:
        st.info(
            f"{SCORES[form_state.settings.score].label}: allocation and compensation are its "
            "authors', whatever is chosen here.",
            icon=":material/info:",
        )


def take_plan(job: Job) -> None:
    """Select the plan, with the log of this session: another may have started the job."""
    plan = job.result.plan_ids[PLAN]
    view_state.change(plan=plan)
    kept_log = session_state.recall(log.PENDING)
    if kept_log:
        with suppress(FnpruneError):  # the log on the page tells of damaged notes
            decision_log.add_decisions(resources.workspace(), plan, kept_log)
    session_state.notify("Measured")


def headline(form_state: Asked) -> None:
    """Draw the perplexity of texts kept and given up: of the plan that runs, or is open."""
    job = job_progress.job_of("prune")
    if job is not None and job.is_active:
        comparison.poll(job.id, comparison.live_headline)
        return
    plan = view_state.view().plan
    if plan:
        with frame.explaining(), st.container(key=stale_key(form_state, "headline")):
            comparison.headline(comparison.results_of_plan(plan), plan)
            expectation.draw(plan)


def stale_key(form_state: Asked, place: str) -> str:
    """Return the key of results: they are grey where the form asks for another plan."""
    return f"lab-{place}-{'stale' if is_stale(form_state) else 'fresh'}"


def is_stale(form_state: Asked) -> bool:
    """Whether the form asks for another plan than the one that is open."""
    plan, view = view_state.view().plan, view_state.view()
    if not plan:
        return False
    try:
        return not checks.is_asked_by(
            resources.plan(plan),
            form_state.settings,
            recording=view.recording,
            n_networks=resources.atlas(view.atlas).n_networks,
        )
    except FnpruneError:  # told where its results are shown
        return False


def results(form_state: Asked) -> None:
    """Draw the running comparison, a stopped one, or the finished one of the view's plan."""
    job = job_progress.job_of("prune")
    if job is not None and job.is_active:
        comparison.poll(job.id, comparison.live)
        return
    job_progress.follow("prune", on_done=take_plan)
    if job is not None and job.state == "cancelled":
        comparison.stopped(job)
        return
    view = view_state.view()
    plan = view.plan
    if not plan:
        return
    st.subheader("Perplexity", anchor=False)
    differs = " The form asks for another one: Apply measures it." if is_stale(form_state) else ""
    st.markdown(f"Of the plan **{wording.plain(data.plan_name(plan))}**.{differs}")
    if resources.plan(plan).recording_id != view.recording:
        st.warning(
            "The open plan was made from another recording: its networks are not those above. "
            "The page Plans opens it with its own.",
            icon=":material/warning:",
        )
    with st.container(key=stale_key(form_state, "results")):
        comparison.tell_unreadable(plan)
        comparison.draw(comparison.results_of_plan(plan), key="final", made_of=plan)
        other_texts.draw(plan)
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
