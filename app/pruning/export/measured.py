"""Measurements of the plan that is exported: its perplexity, and its speed here."""

from typing import Any

import pandas as pd
import streamlit as st

from app.pruning import comparison
from app.pruning.export import data as cache
from app.pruning.export import export_tasks as tasks_export
from app.pruning.export.figures import speed_ratios
from app.pruning.prune_tasks import PLAN
from app.shell import recipes, resources, session_state, view_state
from app.shell.jobs.job import Job
from app.widgets import frame, job_progress
from app.widgets.controls import button, table
from app.widgets.picture import draw_picture
from fnprune_core.evaluation import rivals
from fnprune_core.evaluation.results import paired_difference
from fnprune_core.export.speed import speed_forms, speeds_of
from fnprune_core.plans.plan import PruningPlan


def facts(pruning_plan: PruningPlan) -> None:
    """Draw how much the plan removes, after rounding."""
    lowest_width, highest_width = min(pruning_plan.kept_widths), max(pruning_plan.kept_widths)
    with st.container(horizontal=True):
        st.metric(
            "Units removed",
            f"{100 * pruning_plan.achieved_ratio:.1f} %",
            help=f"{pruning_plan.n_removed:,} of {pruning_plan.layout.n_units:,}; "
            f"{100 * pruning_plan.settings.ratio:.1f} % were asked for.",
        )
        st.metric("Share of parameters", f"{100 * pruning_plan.share_of_parameters:.1f} %")
        st.metric(
            "Units per layer",
            f"{lowest_width:,}"
            if lowest_width == highest_width
            else f"{lowest_width:,} to {highest_width:,}",
        )
        if pruning_plan.settings.multiple is not None:
            st.metric(
                "Rounded to",
                f"{pruning_plan.settings.multiple}",
                help="Widths are multiples of it.",
            )


def quality(plan: str) -> None:
    """Draw the perplexities of this plan, beside the dense model on the same text."""
    comparison.tell_unreadable(plan)
    rows = _perplexities(plan)
    if not rows:
        st.caption(
            "The perplexity of this plan has not been measured: the model card will say so. "
            "Apply measures it, on the page Prune."
        )
        return
    comparison.headline(comparison.results_of_plan(plan), plan)
    table(
        pd.DataFrame(rows),
        key="export-quality",
        alt=f"Perplexity of this plan: {rows[0]['this plan']}, dense {rows[0]['dense']}",
        placeholder="",
    )
    _draw_cost_of_fit(plan)


def _draw_cost_of_fit(plan: str) -> None:
    """Draw the cost of making the plan again for a form, if that was just done."""
    job = job_progress.job_of("fit")
    if job is None or job.state != "done" or job.result.plan_ids[PLAN] != plan:
        return
    ids = job.result.evaluation_ids
    plan_after, plan_before = (resources.evaluation(ids[k]) for k in (PLAN, tasks_export.BEFORE))
    pair = paired_difference(plan_after, plan_before)
    st.caption(
        f"Made again for this form, it is {pair.text()} nats "
        f"per token from the plan before ({plan_before.perplexity:.2f}), on the same windows."
    )


def _perplexities(plan: str) -> list[dict[str, Any]]:
    """Return one row per text, newest first."""
    rows: dict[str, dict[str, Any]] = {}
    results: dict[str, dict[str, Any]] = {}
    for label, id in rivals.evaluations_of(resources.workspace(), plan).items():
        model_label, _, protocol = label.partition(", ")
        results.setdefault(protocol, {})[model_label] = resources.evaluation(id)
    for protocol, results_by_model in results.items():
        pruned, dense = results_by_model.get("pruned"), results_by_model.get("dense")
        if pruned is None or not pruned.n_tokens:
            continue
        row = {"this plan": pruned.text()}
        if dense is not None and dense.n_tokens:
            pair = paired_difference(pruned, dense)
            row["dense"] = dense.text()
            row["nats/token above dense"] = pair.text()
        else:
            row["dense"] = row["nats/token above dense"] = ""
        row["predictions"] = f"{pruned.n_tokens:,}"
        row["errors over"] = pruned.sample.note()
        row["measured on"] = protocol
        rows[protocol] = row
    return list(rows.values())


def speed(plan: str, pruning_plan: PruningPlan) -> None:
    """Draw the plan's measured speed, and the button that measures it."""
    measurement_ids = speeds_of(resources.workspace(), plan)
    if measurement_ids:
        measurement = cache.speed(measurement_ids[0])
        draw_picture(
            speed_ratios(measurement.rows(), palette=frame.palette()),
            key=f"export-speed-{measurement_ids[0]}",
            made=recipes.code("speed", atlas=view_state.view().atlas, plan=plan),
        )
        st.caption(measurement.sentence())
    job_progress.follow("speed", on_done=_notify_measured)
    if job_progress.is_active("speed"):
        return
    forms = speed_forms(pruning_plan.is_uniform)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_pressed = button(
            "Measure again" if measurement_ids else "Measure speed",
            "speed",
            key="export-speed-start",
        )
        st.caption(
            f"Dense, {' and '.join(forms)} on this machine, in processes of their own: a minute or "
            "two for a small model, and disk for as many copies meanwhile."
        )
    if is_pressed:
        job_progress.run(
            tasks_export.speed(
                model=view_state.view().model,
                plan=plan,
                forms=forms,
            )
        )


def _notify_measured(job: Job) -> None:
    session_state.notify("Measured")
