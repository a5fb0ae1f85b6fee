"""The live comparison: curves from a job's events, or from finished evaluations."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from app import components, figures, resources
from app.figures import Curve
from app.jobs import Job
from app.tasks import DENSE, PLAN, Comparison, Partial, Planned
from fnprune_core import workflows
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import Perplexity, paired_difference
from fnprune_core.scores import SCORES


def results_of(job: Job) -> dict[str, Perplexity]:
    """Return the latest result of each model in a job's events."""
    return {event.label: event.result for event in job.events if isinstance(event, Partial)}


def job_of(plan_id: str) -> Job | None:
    """Return the finished job that made a plan, if this server still knows it."""
    for job in resources.jobs().jobs("prune"):
        if isinstance(job.result, Comparison) and job.result.plan_ids[PLAN] == plan_id:
            return job
    return None


def stored_results(plan_id: str) -> dict[str, Perplexity]:
    """Return what the workspace knows of a plan, the dense model, and rivals on the same text."""
    own = _evaluations(plan_id, text="")
    ids = {label: own[label] for label in (DENSE, PLAN) if label in own}
    if PLAN in ids:
        text = _text_of(ids[PLAN])
        for score, rival in _rivals(plan_id).items():
            rivals = _evaluations(rival, text=text)
            if PLAN in rivals:
                ids.setdefault(score, rivals[PLAN])
    return {label: resources.evaluation(id) for label, id in ids.items()}


def _evaluations(plan_id: str, *, text: str) -> dict[str, str]:
    """Return the evaluations of a plan and of the dense model on a text, by default the newest."""
    ids: dict[str, str] = {}
    for name, id in workflows.evaluations_of(resources.workspace(), plan_id).items():
        text = text or _text_of(id)
        if _text_of(id) == text:
            ids.setdefault(DENSE if name.startswith("dense") else PLAN, id)
    return ids


def _text_of(evaluation_id: str) -> str:
    return str(resources.manifest("evaluations", evaluation_id)["inputs"]["text_sha256"])


def _rivals(plan_id: str) -> dict[str, str]:
    """Return plans for the same recording and ratio with another score, newest of each score."""
    entries = resources.workspace().entries("plans")
    own: dict[str, Any] = next((e.manifest["inputs"] for e in entries if e.id == plan_id), {})
    found: dict[str, str] = {}
    for entry in entries:
        inputs = entry.manifest["inputs"]
        if "settings" in own and "settings" in inputs and _differ_in_score(inputs, own):
            found.setdefault(inputs["settings"]["score"], entry.id)
    return {score: found[score] for score in SCORES if score in found}


def _differ_in_score(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    same = ("ratio", "compensation", "intercept")
    return bool(
        a["recording_id"] == b["recording_id"]
        and a["settings"]["score"] != b["settings"]["score"]
        and all(a["settings"][name] == b["settings"][name] for name in same)
    )


def evaluation_ids(job: Job | None, plan_id: str) -> Mapping[str, str]:
    """Return the evaluations to be printed on a plan's model card, by label."""
    if job is not None and isinstance(job.result, Comparison):
        return job.result.evaluation_ids
    return workflows.evaluations_of(resources.workspace(), plan_id)


def _role(label: str) -> Literal["dense", "plan", "baseline"]:
    if label.startswith(DENSE):
        return "dense"
    return "plan" if label.startswith(PLAN) else "baseline"


def curves(results: Mapping[str, Perplexity]) -> list[Curve]:
    """Return results as lines of the chart."""
    return [
        Curve(
            label=label,
            role=_role(label),
            window_nll=result.window_nll,
            window_tokens=result.window_tokens,
            perplexity=result.perplexity,
            standard_error=result.standard_error,
        )
        for label, result in results.items()
    ]


def draw(results: Mapping[str, Perplexity], *, key: str) -> None:
    """Draw the chart, the table of differences, and the protocol."""
    if not results:
        return
    any_result = next(iter(results.values()))
    shown = figures.perplexity_chart(
        curves(results), n_windows=any_result.n_windows_total, palette=components.palette()
    )
    components.picture(shown, key=f"{key}-chart", note=False)
    st.dataframe(
        table(results),
        hide_index=True,
        alt=shown.alternative,
        key=f"{key}-table",
        placeholder="",
        column_config={
            "perplexity": st.column_config.NumberColumn(format="%.2f"),
            "± SE": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    protocol = any_result.protocol
    st.caption(
        f"{len(any_result.window_nll)} of {protocol.n_windows} windows of {protocol.window} "
        f"tokens, {any_result.n_tokens:,} predictions, {protocol.dtype} on {protocol.device}, "
        f"text {protocol.text_sha256[:8]}. Standard errors over {any_result.resampling_unit}; "
        "differences are paired by window."
    )


def table(results: Mapping[str, Perplexity]) -> pd.DataFrame:
    """Return one row a model: perplexity, and paired differences to dense and to the plan."""
    references = {
        "nats/token above dense": _first(results, "dense"),
        "nats/token above your plan": _first(results, "plan"),
    }
    rows: list[dict[str, object]] = []
    for label, result in results.items():
        row: dict[str, object] = {
            "model": label,
            "perplexity": result.perplexity,
            "± SE": result.standard_error,
        }
        for name, reference in references.items():
            row[name] = None if reference is result else _difference(result, reference)
        rows.append(row)
    return pd.DataFrame(rows)


def _difference(result: Perplexity, reference: Perplexity | None) -> str | None:
    if reference is None:
        return None
    try:
        paired = paired_difference(result, reference)
    except FnpruneError:  # measured on another text
        return None
    return f"{paired.difference:+.4f} ± {paired.standard_error:.4f}"


def _first(results: Mapping[str, Perplexity], role: str) -> Perplexity | None:
    return next((result for label, result in results.items() if _role(label) == role), None)


def live(job_id: str) -> None:
    """Draw a running comparison, polled in a fragment of its own."""
    st.fragment(_live, run_every=1.5)(job_id)


def _live(job_id: str) -> None:
    job = resources.jobs().job(job_id)
    if job is not None and job.is_active:
        for event in job.events:
            if isinstance(event, Planned) and event.note:
                st.warning(event.note, icon=":material/warning:")
        draw(results_of(job), key="live")
    else:
        st.rerun()


def removal(plan_id: str) -> None:
    """Draw what a plan removes, layer by layer."""
    plan = resources.plan(plan_id)
    with st.container(horizontal=True):
        st.metric("Units removed", f"{plan.n_removed:,}", help=f"of {plan.layout.n_units:,}")
        st.metric("Share of units", f"{plan.achieved_ratio:.1%}")
        st.metric("Share of parameters", f"{plan.share_of_parameters:.1%}")
        st.metric("Sink units kept", f"{len(plan.sink_units)}")
    components.picture(
        figures.removal_profile(
            np.subtract(plan.layout.widths, plan.kept_widths),
            np.asarray(plan.layout.widths),
            palette=components.palette(),
        ),
        key="removal",
    )
