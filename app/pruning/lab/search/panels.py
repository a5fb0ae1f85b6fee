"""Search of the division of a cut: over layers, or between MLP units and attention."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.figures.layer_profile import shares_profile
from app.pruning import training_note
from app.pruning.lab.search.search_tasks import (
    SearchJob,
    SearchSoFar,
    search_layers,
    search_shares,
)
from app.shell import recipes, resources, session_state, view_state, wording
from app.shell.jobs.job import Job
from app.shell.jobs.tasks import Task
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, model_offer, text_picker
from app.widgets.controls import button, choose
from app.widgets.picture import draw_picture
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.intervals import with_error
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.search import trials
from fnprune_core.pruning.search.allocation import AllocationOrder, AllocationSearch
from fnprune_core.pruning.search.attention import ShareOrder, ShareSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Division:
    """One way to divide a cut: how its search is ordered, and how its result is drawn.

    Parameters
    ----------
    kind : str
        Of its jobs.
    order : callable
        Plan of the form to the order, or None where what it needs is missing; raises
        `FnpruneError` where there is nothing to search.
    draw : callable
        Draws a result, and offers to use it.
    live : callable, optional
        Draws what a running search has found so far.
    """

    kind: str
    search: Callable[[SearchJob], Task]
    order: Callable[[PlanSettings], AllocationOrder | ShareOrder | None]
    draw: Callable[[Any], None]
    live: Callable[[Any], None] | None = None
    done: str


def show(settings: PlanSettings) -> None:
    """Offer the search for the cut in the form; draw its result."""
    with st.popover(
        "Search", icon=":material/manage_search:", key="lab-search",
        help="Divide the cut by search: over layers, or between units and attention",
    ):  # fmt: skip
        st.markdown("**Divide the cut by search**")
        name = choose("Between", list(_DIVISIONS), key="division", is_labelled=True, is_kept=True)
        st.caption(
            f"Plans of this size are tried on up to {trials.MOST_WINDOWS} windows of text "
            "that the recording did not read. The text that Apply measures on has no part in the "
            "choice."
        )
        texts = text_picker.pick_texts("search", split="calibration")
        _search(_DIVISIONS[name], settings, texts)


def _search(division: _Division, settings: PlanSettings, texts: TextChoice | None) -> None:
    """Draw the search that runs, or the result of the last one and the button for another."""
    view = view_state.view()
    result_key = f"{division.kind} of {view.recording} {view.atlas}"

    def keep_result(job: Job) -> None:
        order = job.inputs["order"]
        session_state.remember(
            f"{division.kind} of {order['recording_id']} {order['decomposition_id']}", job.result
        )
        session_state.notify(division.done)

    job = job_progress.follow(division.kind, on_done=keep_result)
    if job is not None and job.is_active:
        if division.live is not None:
            job_progress.live(job.id, SearchSoFar, division.live)
        return
    result = session_state.widget(result_key)
    if result is not None:
        division.draw(result)
    try:
        order = division.order(settings)
    except FnpruneError as error:
        st.info(wording.sentence(f"{error.message} {error.hint}"), icon=":material/info:")
        return
    if order is None:
        return
    is_pressed = button("Search", "balance", key=f"{division.kind}-start", is_off=texts is None)
    if is_pressed and texts is not None:
        job_progress.run(division.search(SearchJob(model=view.model, order=order, texts=texts)))


def _order_of_shares(settings: PlanSettings) -> ShareOrder | None:
    """Return the order for mixes of the cut in the form; None until the model is loaded."""
    st.caption(
        "All take equally many parameters, with none, a twentieth, a tenth and a fifth of the "
        "attention among them."
    )
    model = model_offer.loaded(needed_for="to count what its attention weighs", key="shares")
    if model is None:
        return None
    view = view_state.view()
    order = ShareOrder(recording_id=view.recording, decomposition_id=view.atlas, base=settings)
    training_note.show_note(order.wanted(model))
    return order


def _draw_table(result: ShareSearch) -> None:
    rows = [
        {
            "attention": row["attention_ratio"],
            "units": row["ratio"],
            "perplexity": row["perplexity"],
            "above the first": with_error(
                row["difference"], row["difference_error"], digits=3, is_signed=True
            ),
        }
        for row in result.rows()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "attention": st.column_config.NumberColumn(format="percent"),
            "units": st.column_config.NumberColumn(format="percent"),
            "perplexity": st.column_config.NumberColumn(format="%.2f"),
            "above the first": st.column_config.TextColumn(
                help="Nats per token, paired by window, ± standard error."
            ),
        },
    )
    share_removed = result.mixes[0].plan.share_of_parameters
    st.caption(
        f"Each takes {100 * share_removed:.1f} % of all parameters. Perplexity on the text of the "
        "search."
    )


def _offer_best(result: ShareSearch) -> None:
    """Draw the mixes, and offer the best of them."""
    _draw_table(result)
    best_mix = result.best
    units, attention = (
        round(100 * x) for x in (best_mix.settings.ratio, best_mix.settings.attention_ratio)
    )
    st.markdown(f"**{_verdict_text(result)}**")
    button(
        f"Use {units} % of units and {attention} % of attention",
        "check",
        key="shares-use",
        does=partial(_use_shares, units, attention),
    )


def _verdict_text(result: ShareSearch) -> str:
    best_mix = result.best
    if best_mix is result.mixes[0]:
        return "Least lost: all of the cut in MLP units."
    row = next(mix_row for mix_row in result.rows() if mix_row["is_best"])
    text = f"Least lost: {100 * best_mix.settings.attention_ratio:.0f} % of attention goes too"
    return (
        f"{text}."
        if row["is_clear"]
        else f"{text}, though its 95 % interval holds zero or is unknown."
    )


def _use_shares(units: int, attention: int) -> None:
    session_state.remember("prune-ratio", units)
    session_state.remember("prune-attention", attention)


def _order_of_layers(settings: PlanSettings) -> AllocationOrder:
    """Return the order for the plan in the form; say how long it takes."""
    view = view_state.view()
    order = AllocationOrder(recording_id=view.recording, decomposition_id=view.atlas, base=settings)
    n_plans = order.n_plans(resources.recording(view.recording).layout.n_layers)
    st.caption(
        f"{wording.count(n_plans, 'plan')} of this size are made and measured: each "
        "takes a little more from one block of layers, the last three move all of them. On the "
        "embedded model about five minutes with least squares."
    )
    training_note.show_note([settings] * n_plans)
    model_offer.will_be_loaded(resources.language_model(view.model))
    return order


def _draw_shares(result: AllocationSearch) -> None:
    """Draw the shares of the layers before and after, and offer the weights."""
    first, best, view = result.first, result.best, view_state.view()
    draw_picture(
        shares_profile(first.shares, best.shares, palette=frame.palette()),
        key="layers-shares",
        made=recipes.code(
            "allocation",
            atlas=view.atlas,
            model=view.model,
            settings=recipes.changed_settings(first.settings),
        ),
    )
    if not best.settings.layer_weights:
        st.markdown("**None of these was better than what it began with.**")
        return
    st.markdown(
        f"**{result.gain.text(digits=3)} nats per token** on the text of the search, paired by "
        f"window: perplexity {best.result.perplexity:.2f}, before {first.result.perplexity:.2f}."
    )
    weights = ", ".join(f"{weight:g}" for weight in best.settings.layer_weights)
    button("Use these weights", "check", key="layers-use", does=partial(_use_weights, weights))


def _use_weights(weights: str) -> None:
    session_state.remember("prune-allocation", WEIGHTED)
    session_state.remember("prune-weights", weights)


_DIVISIONS = {
    "Layers": _Division(
        kind="layers",
        search=search_layers,
        order=_order_of_layers,
        draw=_draw_shares,
        done="Allocation searched",
    ),
    "Units and attention": _Division(
        kind="shares",
        search=search_shares,
        order=_order_of_shares,
        draw=_offer_best,
        live=_draw_table,
        done="Share of attention searched",
    ),
}
