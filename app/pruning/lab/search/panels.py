"""Search of the division of a cut: over layers, or between MLP units and attention."""

from functools import partial

import pandas as pd
import streamlit as st

from app.pruning import training_note
from app.pruning.lab.search import layers
from app.pruning.lab.search.search_tasks import SharesJob, SharesSoFar, search_shares
from app.shell import resources, view_state, wording
from app.shell.jobs import Job
from app.shell.text_choice import TextChoice
from app.widgets import job_progress, model_offer, text_picker
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.intervals import with_error
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.search import trials
from fnprune_core.pruning.search.attention import ShareOrder, ShareSearch


def show(settings: PlanSettings) -> None:
    """Offer the search for the cut in the form; draw its result."""
    with st.popover(
        "Search", icon=":material/manage_search:", key="lab-search",
        help="Divide the cut by search: over layers, or between units and attention",
    ):  # fmt: skip
        st.markdown("**Divide the cut by search**")
        division = st.segmented_control(
            "Between",
            list(_DIVISIONS),
            default=next(iter(_DIVISIONS)),
            required=True,
            key="division",
            persist_state="session",
        )
        st.caption(
            f"Plans of this size are tried on up to {trials.MOST_WINDOWS} windows of text "
            "that the recording did not read. The text that Apply measures on has no part in the "
            "choice."
        )
        texts = text_picker.pick_texts("search", split="calibration")
        _DIVISIONS[division](settings, texts)


def _search_attention(settings: PlanSettings, texts: TextChoice | None) -> None:
    """Offer mixes of equal size; draw the result of their search."""
    job = job_progress.follow("shares", on_done=_keep_result)
    if job is not None and job.is_active:
        st.fragment(_draw_live, run_every=2.0)(job.id)
        return
    result = view_state.widget(_session_key(view_state.view().recording, view_state.view().atlas))
    if isinstance(result, ShareSearch):
        _draw_table(result)
        _offer_best(result)
    _offer_search(settings, texts)


def _session_key(recording: str, atlas: str) -> str:
    """Return the session's key of an atlas's search."""
    return f"mixes of {recording} {atlas}"


def _offer_search(settings: PlanSettings, texts: TextChoice | None) -> None:
    st.caption(
        "All take equally many parameters, with none, a twentieth, a tenth and a fifth of the "
        "attention among them."
    )
    model = model_offer.loaded(needed_for="to count what its attention weighs", key="shares")
    if model is None:
        return
    view = view_state.view()
    order = ShareOrder(
        recording_id=view.recording,
        decomposition_id=view.atlas,
        base=settings,
    )
    try:
        mixes = order.wanted(model)
    except FnpruneError as error:
        st.info(wording.sentence(f"{error.message} {error.hint}"), icon=":material/info:")
        return
    training_note.show_note(mixes)
    is_pressed = st.button(
        "Search", icon=":material/balance:", key="shares-start", disabled=texts is None
    )
    if is_pressed and texts is not None:
        job = SharesJob(model=view.model, order=order, texts=texts)
        job_progress.start(search_shares(job))
        st.rerun()


def _draw_live(job_id: str) -> None:
    job = resources.jobs().job(job_id)
    if job is None or not job.is_active:
        st.rerun()
    events = [event.found for event in job.events if isinstance(event, SharesSoFar)]
    if events:
        _draw_table(events[-1])


def _keep_result(job: Job) -> None:
    order = job.inputs["order"]
    view_state.remember(_session_key(order["recording_id"], order["decomposition_id"]), job.result)
    view_state.notify("Share of attention searched")


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
    share_removed = result.mixes[0].share_of_parameters
    st.caption(
        f"Each takes {100 * share_removed:.1f} % of all parameters. Perplexity on the text of the "
        "search."
    )


def _offer_best(result: ShareSearch) -> None:
    best_mix = result.best
    units, attention = (
        round(100 * x) for x in (best_mix.settings.ratio, best_mix.settings.attention_ratio)
    )
    st.markdown(f"**{_verdict_text(result)}**")
    st.button(
        f"Use {units} % of units and {attention} % of attention",
        icon=":material/check:",
        key="shares-use",
        on_click=partial(_use_shares, units, attention),
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
    view_state.remember("prune-ratio", units)
    view_state.remember("prune-attention", attention)


_DIVISIONS = {"Layers": layers.show, "Units and attention": _search_attention}
