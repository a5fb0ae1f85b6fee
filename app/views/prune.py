"""Prune: choose what to preserve, apply, and watch the perplexity come in."""

from pathlib import Path

import streamlit as st

from app import (
    comparison,
    components,
    resources,
    settings,
    state,
    tasks,
    text_picker,
    toggles,
)
from app.jobs import Job
from fnprune_core import workflows
from fnprune_core.scores import SCORES

RIVALS = ["flap", "wanda", "magnitude", "random", "network-membership", "flap-published"]


def show_form() -> None:
    """Ask for the plan and what it is measured against."""
    view = state.view()
    chosen = settings.plan_settings()
    model = resources.language_model(view.model)
    warning = workflows.bias_warning(model, chosen) if model is not None else ""
    if warning:
        st.warning(warning, icon=":material/warning:")
    rivals = st.pills(
        "Compare with",
        RIVALS,
        selection_mode="multi",
        default=["flap", "random"],
        format_func=lambda name: SCORES[name].label,
        wrap=True,
        key="prune-rivals",
        persist_state="session",
        help="At the same ratio, allocation, sink rule and compensation.",
    )
    with st.expander("Text to measure on", icon=":material/menu_book:"):
        texts = text_picker.pick_texts("evaluate", split="held-out")
        windows = st.number_input(
            "Windows at most", 1, 4096, 24, key="prune-windows", persist_state="session"
        )
    if components.is_active("prune"):
        components.follow("prune", on_done=take_plan)
    elif texts is not None and st.button(
        "Apply", type="primary", icon=":material/play_arrow:", width="stretch"
    ):
        order = tasks.PruneOrder(
            model=view.model,
            recording=view.recording,
            atlas=view.atlas,
            settings=chosen,
            baselines=tuple(name for name in rivals if name != chosen.score),
            texts=texts,
            window=resources.recording(view.recording).windows.window,
            max_windows=int(windows),
        )
        components.start(tasks.prune(resources.shelf(), resources.workspace(), order))
        st.rerun()


def take_plan(job: Job) -> None:
    """Make the plan the view's."""
    state.change(plan=job.result.plan_ids[tasks.PLAN])
    state.notify("Measured")


def show_results() -> None:
    """Draw the running comparison, or the finished one of the view's plan."""
    job = components.job_of("prune")
    if job is not None and job.is_active:
        comparison.live(job.id)
        return
    components.follow("prune", on_done=take_plan)
    plan = state.view().plan
    if not plan:
        return
    own = comparison.job_of(plan)
    st.subheader("Perplexity", anchor=False)
    results = comparison.results_of(own) if own else comparison.stored_results(plan)
    comparison.draw(results, key="final")
    st.subheader("What goes", anchor=False)
    comparison.removal(plan)
    st.subheader("Export", anchor=False)
    show_export(plan, own)


def show_export(plan: str, job: Job | None) -> None:
    """Write the pruned model to a folder."""
    folder = st.text_input(
        "Folder", value=str(resources.export_folder(plan)), key=f"export-folder-{plan}"
    )
    components.follow("export", on_done=lambda done: state.notify("Exported"))
    done = components.job_of("export")
    if not components.is_active("export") and st.button("Export", icon=":material/save:"):
        components.start(
            tasks.export(
                resources.shelf(),
                resources.workspace(),
                model=state.view().model,
                plan=plan,
                target=Path(folder).expanduser(),
                evaluation_ids=comparison.evaluation_ids(job, plan),
            )
        )
        st.rerun()
    if done is not None and done.state == "done":
        components.exported(done.result)


components.heading(
    "Prune",
    "Choose the networks to preserve; the units that serve the others least are silenced, and "
    "what that costs is measured beside the dense model and rival scores.",
)
if not state.view().atlas:
    components.no_networks()
else:
    atlas = resources.atlas(state.view().atlas)
    left, right = st.columns([8, 5], gap="large")
    with left, components.explaining():
        toggles.rules(atlas)
        toggles.toggle_table(atlas)
    with right, components.explaining():
        show_form()
    with components.explaining():
        show_results()
