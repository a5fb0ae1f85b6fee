"""Generations page: texts of the dense model and of the pruned one, from the same prompt."""

import streamlit as st

from app.pruning.generations import prompt as prompt_box
from app.shell import resources, session_state, view_state
from app.shell.caches import generations as cache
from app.shell.jobs import generation_tasks
from app.shell.jobs.job import Job, describe_error
from app.widgets import frame, job_progress, model_offer, two_texts
from app.widgets.controls import button
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.generation import Prompt, Sampling, encode
from fnprune_core.models.language_model import LanguageModel


def choose_plan(plans: list[str]) -> str:
    """Draw the choice among all plans of the workspace; return the chosen one, or nothing."""
    viewed_plan = view_state.view().plan
    key = f"generation-plan-{viewed_plan}"
    return (
        st.selectbox(
            "Plan",
            plans,
            index=plans.index(viewed_plan) if viewed_plan in plans else None,
            format_func=cache.plan_label,
            placeholder="Choose a plan",
            key=key,
            on_change=lambda: view_state.change(plan=session_state.widget(key) or ""),
        )
        or ""
    )


def choose_earlier() -> None:
    """Draw the choice among earlier texts."""
    earlier_texts = {entry.id: entry for entry in cache.earlier()}
    if not earlier_texts:
        return
    viewed_texts = view_state.view().generation
    key = f"generation-earlier-{viewed_texts}"
    st.selectbox(
        "Written before",
        list(earlier_texts),
        index=list(earlier_texts).index(viewed_texts) if viewed_texts in earlier_texts else None,
        format_func=lambda id: (
            f"{' '.join(earlier_texts[id].prompt.split())[:60] or '(white space)'} · "
            f"{cache.plan_label(earlier_texts[id].plan)}"
        ),
        placeholder="Open what was written before",
        key=key,
        on_change=lambda: open_earlier(session_state.widget(key)),
    )


def open_earlier(id: str | None) -> None:
    """Select earlier texts in the view, with their plan."""
    if id is not None:
        plan = cache.side_by_side(id).plan_id
        view_state.change(
            generation=id, token=-1, plan=plan if plan in cache.plans() else view_state.view().plan
        )


def write(plan: str, prompt: Prompt, sampling: Sampling, model: LanguageModel | None) -> None:
    """Draw the button that starts both models, and any error of the prompt."""
    is_pressed = button("Write", "play_arrow", kind="primary", is_off=not plan, width="stretch")
    if not plan:
        st.caption("Choose a plan first.")
    else:
        model_offer.will_be_loaded(
            model, then="Whether it has a chat template is shown after that."
        )
    if not is_pressed:
        return
    try:
        resources.reach().check_texts([prompt.text, prompt.system])
        if model is not None:  # else the job says it
            model.check_fingerprint(resources.plan(plan).fingerprint, "plan")
            encode(model, prompt)
    except FnpruneError as error:
        frame.error(describe_error(error))
        return
    order = generation_tasks.GenerationOrder(
        model=view_state.view().model, plan=plan, prompt=prompt, sampling=sampling
    )
    view_state.change(token=-1)
    job_progress.run(generation_tasks.generate(order))


def select_texts(job: Job) -> None:
    """Select the texts that were written."""
    view_state.change(generation=job.result)
    prompt_box.remember_prompt(job.result)


def show_form(plans: list[str]) -> None:
    """Draw plan, prompt and sampling."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        text = prompt_box.text_box()
    with right:
        plan = choose_plan(plans)
        model = resources.language_model(view_state.view().model)
        prompt = prompt_box.prompt_of(text, model)
        sampling = prompt_box.sampling_of(prompt)
        if not job_progress.is_active(generation_tasks.KIND):
            write(plan, prompt, sampling, model)
        choose_earlier()


def show_texts() -> None:
    """Draw the texts that are being written, or those that were."""
    job = job_progress.job_of(generation_tasks.KIND)
    if job is not None and job.is_active:
        two_texts.live(job.id)
        return
    job_progress.follow(generation_tasks.KIND, on_done=select_texts)
    if job is not None and job.state == "cancelled":
        two_texts.so_far(job)
        return
    generation = view_state.view().generation
    if generation:
        texts = cache.side_by_side(generation)
        if view_state.view().plan not in ("", texts.plan_id):
            st.caption("These texts are of another plan than the chosen one. Press Write for it.")
        st.caption(prompt_box.facts(texts))
        two_texts.show(texts)


frame.heading(
    "Generations",
    "The dense model and the pruned one go on from the same prompt; see where their texts part, "
    "and what each expected there.",
    terms=("pruning", "lesion"),
)


def open_newest() -> None:
    """Open what was written last, where nothing is open and nothing is being typed."""
    view, texts = view_state.view(), cache.earlier()
    if not (view.generation or view.prompt or view.plan) and texts:
        open_earlier(texts[0].id)


with frame.explaining():
    open_newest()
    every_plan = cache.plans()
    if not every_plan and not view_state.view().generation:
        frame.no_plans(
            "Choose what to protect and apply it; then see what the pruned model writes."
        )
    else:
        if view_state.view().generation:
            with frame.explaining():
                opened = view_state.view().generation
                prompt_box.fill(cache.side_by_side(opened), opened)
        show_form(every_plan)
        with frame.explaining():
            show_texts()
