"""The comparison of a plan with the dense model and baselines: live, stopped, or finished."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import streamlit as st

from app.figures import layer_profile
from app.pruning import commands, data
from app.pruning.comparison_rows import QUANTITIES, Choices, comparison_table, marks
from app.pruning.figures import comparison_chart
from app.pruning.prune_tasks import PLAN, Comparison, Partial, Planned, prune
from app.shell import recipes, resources, view_state, wording
from app.shell.jobs.job import Job, describe_error
from app.shell.visit import visit_id
from app.widgets import controls, frame, job_progress
from app.widgets.controls import button, choose
from app.widgets.picture import draw_picture
from fnprune_core.evaluation import rivals as stored_rivals
from fnprune_core.evaluation import verdict
from fnprune_core.evaluation.alike import Alike, alike
from fnprune_core.evaluation.intervals import MIN_DOCUMENTS
from fnprune_core.evaluation.results import DENSE, Perplexity
from fnprune_core.evaluation.verdict import Side, Verdict
from fnprune_core.scores.units import shown_label


def results_of(job: Job) -> dict[str, Perplexity]:
    """Return the latest result of each model in a job's events, in the order of its plans."""
    results = {event.label: event.result for event in job.events if isinstance(event, Partial)}
    planned_event = _planned_event(job)
    order = list(results) if planned_event is None else list(planned_event.plan_ids)
    return {label: results[label] for label in order if label in results}


def _planned_event(job: Job) -> Planned | None:
    return next((event for event in reversed(job.events) if isinstance(event, Planned)), None)


def _plan_of(job: Job) -> str:
    """Return the id of the plan that a job measures; empty before it is made."""
    planned_event = _planned_event(job)
    return "" if planned_event is None else planned_event.plan_ids.get(PLAN) or ""


def job_of(plan_id: str) -> Job | None:
    """Return this visit's finished job that made a plan, if the server still knows it."""
    for job in resources.jobs().owned(visit_id(), "prune"):
        if isinstance(job.result, Comparison) and job.result.plan_ids[PLAN] == plan_id:
            return job
    return None


def stored_results(plan_id: str) -> dict[str, Perplexity]:
    """Return the stored results of a plan, of the dense model, and of rivals on the same text."""
    ids = stored_rivals.measured_together(resources.workspace(), plan_id, label=PLAN)
    return {label: resources.evaluation(id) for label, id in ids.items()}


def tell_unreadable(plan_id: str) -> None:
    """Draw why measurements of a plan are not among its results."""
    for error in stored_rivals.unreadable_evaluations(resources.workspace(), plan_id):
        frame.error(describe_error(error))


def results_of_plan(plan_id: str) -> Mapping[str, Perplexity]:
    """Return the results of a plan beside its rivals: of this visit's job, else those stored."""
    job = job_of(plan_id)
    return stored_results(plan_id) if job is None else results_of(job)


def headline(results: Mapping[str, Perplexity], plan_id: str) -> None:
    """Draw the perplexity of the texts to keep and of those given up, or of all, in one row."""
    found = _verdict_of(results, plan_id, PLAN)
    if found is not None:
        _draw_sides(found)
    elif DENSE in results:
        st.metric("Dense model, read so far", f"{results[DENSE].perplexity:.2f}")


def live_headline(job: Job) -> None:
    """Draw the headline of a running comparison."""
    planned = _planned_event(job)
    if planned is not None and planned.order is not None:
        st.caption(f"Of the plan {wording.plain(data.plan_name(_plan_of(job)))}, so far")
    headline(results_of(job), _plan_of(job))


def draw(
    results: Mapping[str, Perplexity],
    *,
    key: str,
    choices: Choices = QUANTITIES,
    plan: str = PLAN,
    made_of: str = "",
) -> None:
    """Draw the chart by domain, the table of differences, and the protocol.

    Parameters
    ----------
    choices : mapping
        What can be drawn.
    plan : str
        Label of the plan that stands out.
    made_of : str, optional
        Id of the plan; given, its verdict stands first, and the page tells how its numbers are
        made again.
    """
    if not results:
        return
    _draw_verdict(results, made_of, plan)
    name = choose(
        "What is drawn", list(choices), words=wording.plain, key=f"{key}-quantity", is_kept=True
    )
    quantity, reference = choices[name]
    atlas = view_state.view().atlas
    shared = alike(results, first=plan)
    draw_picture(
        comparison_chart(
            marks(shared.results, reference, plan=plan), quantity, palette=frame.palette()
        ),
        key=f"{key}-chart",
        note=key != "live",
        made=recipes.code("comparison", atlas=atlas, plan=made_of) if made_of and atlas else "",
        command=commands.of_plan(made_of) if made_of else "",
    )
    table = comparison_table(shared, plan=plan)
    controls.table(
        table,
        alt="Perplexity of each model, with paired differences to dense and to your plan",
        key=f"{key}-table",
        placeholder="",
        columns={"perplexity": "%.2f", "± SE": "%.2f"},
    )
    _draw_protocol(results, shared)


def _verdict_of(results: Mapping[str, Perplexity], plan_id: str, plan: str) -> Verdict | None:
    return verdict.verdict(results, data.given_up(plan_id) if plan_id else (), plan=plan)


def _draw_verdict(results: Mapping[str, Perplexity], plan_id: str, plan: str) -> None:
    """Draw two numbers first where a plan gives domains up: what is kept, and what is not."""
    found = _verdict_of(results, plan_id, plan)
    if found is None or found.given_up is None:
        return
    _draw_sides(found)
    st.caption(
        "A text counts as given up where more than half of its own networks, by energy, are not "
        "preserved; its perplexity should rise, that of the others should not. The rival is the "
        "one that is lowest on the texts to keep; differences are in nats per token, paired by "
        "window, ± one standard error."
    )
    left = data.weight_left(plan_id)
    if left:
        st.caption(wording.plain(left))


def _draw_sides(found: Verdict) -> None:
    """Draw each side of a verdict, all of it on the windows that plan, dense and rival share."""
    rival = wording.plain(shown_label(found.rival))
    if found.given_up is None:
        _draw_side(found.kept, "Perplexity", rival, is_wanted_low=True)
        return
    left, right = st.columns(2, gap="small")
    with left:
        _draw_side(found.kept, "Kept", rival, is_wanted_low=True)
    with right:
        _draw_side(found.given_up, "Given up", rival, is_wanted_low=False)


def _draw_side(side: Side, label: str, rival: str, *, is_wanted_low: bool) -> None:
    delta: str | None = None
    colour: Literal["normal", "inverse", "off"] = "off"
    above = side.above_rival
    if above is not None:
        delta = f"{above.text(digits=3)} beside {rival}"
        if above.is_clear:
            colour = "inverse" if is_wanted_low else "normal"
    st.metric(
        f"{label}: {wording.plain(', '.join(side.domains) or 'all texts')}",
        f"{side.plan.perplexity:.2f}",
        delta,
        delta_color=colour,
        delta_arrow="off",  # the sign is in the text
    )
    others = [("dense", side.dense), (rival, side.rival)]
    known = [f"{name} {result.perplexity:.2f}" for name, result in others if result is not None]
    if known:
        n_read = len(side.plan.windows)
        st.caption(f"{', '.join(known)}; on the same {wording.count(n_read, 'window')}")


def _draw_protocol(results: Mapping[str, Perplexity], shared: Alike) -> None:
    first_result = next(iter(results.values()))
    n_read = max((len(result.windows) for result in shared.results.values()), default=0)
    protocol = first_result.protocol
    domains_note = (
        "" if first_result.domain_names else " Its domains are not known: apply again to see them."
    )
    few = [
        wording.plain(name)
        for name, part in first_result.by_domain().items()
        if not part.sample.has_error
    ]
    domains_note += (
        f" No interval for {', '.join(few)}: under {MIN_DOCUMENTS} documents of equal length."
        if few
        else ""
    )
    st.caption(
        f"On {n_read} of {protocol.n_windows} windows of {protocol.window} tokens, the same for "
        f"every model ({protocol.n_tokens:,} predictions in all), {protocol.dtype} on "
        f"{protocol.device}, text "
        f"{protocol.text_sha256[:8]}. Errors (SE) are over "
        f"{wording.sentence(first_result.sample.note())}; those "
        "of several random seeds are the spread over them. Differences are paired by "
        f"window.{domains_note}"
    )
    waiting = []
    for label, result in shared.apart.items():
        name = wording.plain(shown_label(label))
        if result.failure:
            st.warning(f"{name}: {wording.sentence(result.failure)}", icon=":material/warning:")
        elif not result.is_complete:
            waiting.append(f"{name} ({wording.count(len(result.windows), 'window')} so far)")
    if waiting:
        st.caption(f"Drawn when more of the text is read: {', '.join(waiting)}.")


def live(job: Job) -> None:
    """Draw a running comparison."""
    for event in job.events:
        if isinstance(event, Planned) and event.note:
            st.warning(wording.sentence(event.note), icon=":material/warning:")
    draw(results_of(job), key="live", made_of=_plan_of(job))


def poll(job_id: str, draw_job: Callable[[Job], None]) -> None:
    """Draw a running job in a fragment of its own, again and again; the page reruns at its end."""
    st.fragment(_poll, run_every=1.5)(job_id, draw_job)


def _poll(job_id: str, draw_job: Callable[[Job], None]) -> None:
    job = resources.jobs().job(job_id)
    if job is None or not job.is_active:
        st.rerun()
    draw_job(job)


def stopped(job: Job) -> None:
    """Draw the results that a stopped comparison had read, and offer to go on from there."""
    planned_event, results = _planned_event(job), results_of(job)
    if planned_event is None or planned_event.order is None:
        return
    order = planned_event.order
    button(
        "Go on where it stopped",
        "resume",
        key=f"resume-{job.id}",
        does=lambda: job_progress.start(prune(order)),
        help="Finished windows are kept; Apply with the same settings does the same.",
    )
    draw(results, key="stopped", made_of=_plan_of(job))


def removal(plan_id: str) -> None:
    """Draw the share of units that a plan removes, layer by layer."""
    plan = resources.plan(plan_id)
    with st.container(horizontal=True):
        st.metric("Units removed", f"{plan.n_removed:,}", help=f"of {plan.layout.n_units:,}")
        st.metric("Share of units", f"{100 * plan.achieved_ratio:.1f} %")
        st.metric("Share of parameters", f"{100 * plan.share_of_parameters:.1f} %")
        st.metric("Sink units kept", f"{len(plan.sink_units)}")
    draw_picture(
        layer_profile.removal_profile(
            np.subtract(plan.layout.widths, plan.kept_widths),
            np.asarray(plan.layout.widths),
            palette=frame.palette(),
        ),
        key="removal",
    )
