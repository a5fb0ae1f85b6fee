"""How a cut is divided, by search: over layers, or between MLP units and attention."""

from functools import partial

import pandas as pd
import streamlit as st

from app.pruning import training_note
from app.pruning.lab.search import layers
from app.pruning.lab.search.tasks import SharesJob, SharesSoFar, search_shares
from app.shell import resources, view_state
from app.shell.jobs import Job
from app.shell.text_choice import TextChoice
from app.widgets import job_progress, model_offer, text_picker
from fnprune_core.errors import FnpruneError
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import search_trials
from fnprune_core.pruning.search_attention import ShareOrder, ShareSearch


def show(settings: PlanSettings) -> None:
    """Offer the search for the cut that the form holds; draw what it has found."""
    with st.expander("Divide the cut by search", icon=":material/balance:"):
        between = st.segmented_control(
            "Between",
            list(_DIVISIONS),
            default=next(iter(_DIVISIONS)),
            required=True,
            key="division",
            persist_state="session",
        )
        st.caption(
            f"Plans of this size are tried on up to {search_trials.MOST_WINDOWS} windows of text "
            "that the recording did not read. The text that Apply measures on has no part in the "
            "choice."
        )
        texts = text_picker.pick_texts("search", split="calibration")
        _DIVISIONS[between](settings, texts)


def _attention(settings: PlanSettings, texts: TextChoice | None) -> None:
    """Offer mixes of equal size; draw what is known of them."""
    job = job_progress.follow("shares", on_done=_take)
    if job is not None and job.is_active:
        st.fragment(_live, run_every=2.0)(job.id)
        return
    found = view_state.widget(_kept_as(view_state.view().recording, view_state.view().atlas))
    if isinstance(found, ShareSearch):
        _table(found)
        _offer(found)
    _ask(settings, texts)


def _kept_as(recording: str, atlas: str) -> str:
    """Return where the session keeps what was found for an atlas."""
    return f"mixes of {recording} {atlas}"


def _ask(settings: PlanSettings, texts: TextChoice | None) -> None:
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
        wanted = order.wanted(model)
    except FnpruneError as error:
        st.info(f"{error.message} {error.hint}", icon=":material/info:")
        return
    training_note.show_note(wanted, key="shares")
    pressed = st.button(
        "Search", icon=":material/balance:", key="shares-start", disabled=texts is None
    )
    if pressed and texts is not None:
        job = SharesJob(model=view.model, order=order, texts=texts)
        job_progress.start(search_shares(job))
        st.rerun()


def _live(job_id: str) -> None:
    job = resources.jobs().job(job_id)
    if job is None or not job.is_active:
        st.rerun()
    events = [event.found for event in job.events if isinstance(event, SharesSoFar)]
    if events:
        _table(events[-1])


def _take(job: Job) -> None:
    order = job.inputs["order"]
    view_state.remember(_kept_as(order["recording_id"], order["decomposition_id"]), job.result)
    view_state.notify("Share of attention searched")


def _table(found: ShareSearch) -> None:
    rows = [
        {
            "attention": row["attention_ratio"],
            "units": row["ratio"],
            "perplexity": row["perplexity"],
            "above the first": f"{row['difference']:+.3f} ± {row['difference_error']:.3f}",
        }
        for row in found.rows()
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
    gone = found.mixes[0].share_of_parameters
    st.caption(f"Each takes {gone:.1%} of all parameters. Perplexity on the text of the search.")


def _offer(found: ShareSearch) -> None:
    best = found.best
    units, attention = (
        round(100 * x) for x in (best.settings.ratio, best.settings.attention_ratio)
    )
    st.markdown(f"**{_verdict(found)}**")
    st.button(
        f"Use {units}% of units and {attention}% of attention",
        icon=":material/check:",
        key="shares-use",
        on_click=partial(_use, units, attention),
    )


def _verdict(found: ShareSearch) -> str:
    best = found.best
    if best is found.mixes[0]:
        return "Least lost: all of the cut in MLP units."
    row = next(each for each in found.rows() if each["is_best"])
    clear = -row["difference"] > 2 * row["difference_error"]
    text = f"Least lost: {best.settings.attention_ratio:.0%} of attention goes too"
    return f"{text}." if clear else f"{text}, though by less than two standard errors."


def _use(units: int, attention: int) -> None:
    view_state.remember("prune-ratio", units)
    view_state.remember("prune-attention", attention)


_DIVISIONS = {"Layers": layers.show, "Units and attention": _attention}
