"""Generations: what the dense model and the pruned one write from the same prompt."""

import streamlit as st

from app.pruning.generations import prompt as prompt_box
from app.shell import generation_tasks, resources, view_state
from app.shell.caches import generations as cache
from app.shell.jobs import Job, describe_error
from app.widgets import frame, job_progress, model_offer, two_texts
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.generation import Prompt, Sampling, encode
from fnprune_core.models.language_model import LanguageModel


def choose_plan(plans: list[str]) -> str:
    """Draw the choice among all plans of the workspace; return the chosen one, or nothing."""
    held = view_state.view().plan
    key = f"generation-plan-{held}"
    return (
        st.selectbox(
            "Plan",
            plans,
            index=plans.index(held) if held in plans else None,
            format_func=cache.plan_label,
            placeholder="Choose a plan",
            key=key,
            on_change=lambda: view_state.change(plan=view_state.widget(key) or ""),
        )
        or ""
    )


def choose_earlier() -> None:
    """Draw the choice among what was written before."""
    found = {each.id: each for each in cache.earlier()}
    if not found:
        return
    held = view_state.view().generation
    key = f"generation-earlier-{held}"
    st.selectbox(
        "Written before",
        list(found),
        index=list(found).index(held) if held in found else None,
        format_func=lambda id: (
            f"{' '.join(found[id].prompt.split())[:60] or '(white space)'} · "
            f"{cache.plan_label(found[id].plan)}"
        ),
        placeholder="Open what was written before",
        key=key,
        on_change=lambda: open_earlier(view_state.widget(key)),
    )


def open_earlier(id: str | None) -> None:
    """Look at what was written before, with its plan."""
    if id is not None:
        plan = cache.side_by_side(id).plan_id
        view_state.change(
            generation=id, token=-1, plan=plan if plan in cache.plans() else view_state.view().plan
        )


def write(plan: str, prompt: Prompt, sampling: Sampling, model: LanguageModel) -> None:
    """Draw the button that starts both models, and what is wrong with the prompt."""
    pressed = st.button(
        "Write", type="primary", icon=":material/play_arrow:", disabled=not plan, width="stretch"
    )
    if not plan:
        st.caption("Choose a plan first.")
    if not pressed:
        return
    try:
        model.check_fingerprint(resources.plan(plan).fingerprint, "plan")
        encode(model, prompt)
    except FnpruneError as wrong:
        frame.error(describe_error(wrong))
        return
    order = generation_tasks.GenerationOrder(
        model=model.source, plan=plan, prompt=prompt, sampling=sampling
    )
    view_state.change(token=-1)
    job_progress.start(generation_tasks.generate(order))
    st.rerun()


def select_texts(job: Job) -> None:
    """Look at what was written."""
    view_state.change(generation=job.result)
    prompt_box.remember_prompt(job.result)


def show_form(plans: list[str]) -> None:
    """Draw plan, prompt and sampling."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        text = prompt_box.text_box()
    with right:
        plan = choose_plan(plans)
        model = model_offer.loaded(needed_for="to write", key="generations")
        prompt = prompt_box.prompt_of(text, model)
        sampling = prompt_box.sampling_of(prompt)
        if model is not None and not job_progress.is_active(generation_tasks.KIND):
            write(plan, prompt, sampling, model)
        choose_earlier()


def show_texts() -> None:
    """Draw what is being written, or what was."""
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
        found = cache.side_by_side(generation)
        if view_state.view().plan not in ("", found.plan_id):
            st.caption("These texts are of another plan than the chosen one. Press Write for it.")
        st.caption(prompt_box.facts(found))
        two_texts.show(found)


frame.heading(
    "Generations",
    "The dense model and the pruned one go on from the same prompt; see where their texts part, "
    "and what each expected there.",
    terms=("pruning", "lesion"),
)
with frame.explaining():
    every_plan = cache.plans()
    if not every_plan and not view_state.view().generation:
        frame.empty(
            "No plan yet",
            "Choose what to preserve and apply it; then see what the pruned model writes.",
            button="Go to Prune",
            page=frame.PRUNE,
            icon="content_cut",
        )
    else:
        if view_state.view().generation:
            with frame.explaining():
                opened = view_state.view().generation
                prompt_box.fill(cache.side_by_side(opened), opened)
        show_form(every_plan)
        with frame.explaining():
            show_texts()
