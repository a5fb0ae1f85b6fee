"""A sweep: its scores and ratios, its duration, and the picture of cost against size."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.pruning import data as shared
from app.pruning import training_note
from app.pruning.data import title
from app.pruning.figures import ABOVE_DENSE, PERPLEXITY, Quantity
from app.pruning.plan_rows import score_label
from app.pruning.plans import data as cache
from app.pruning.plans import runs
from app.pruning.plans.sweep_tasks import SweepJob, SweepSoFar, run_sweep
from app.pruning.plans.trade_figures import AXES, Level, trade_chart
from app.pruning.plans.trade_rows import trade_table
from app.shell import recipes, resources, session_state, view_state, wording
from app.shell.jobs.job import Job
from app.shell.text_choice import TextChoice
from app.widgets import frame, job_progress, model_offer, text_picker
from app.widgets.controls import choose, number
from app.widgets.picture import draw_picture
from fnprune_core.evaluation.history import History, PlanRecord
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.sweep import Sweep, SweepOrder, estimate_sweep, pooled
from fnprune_core.scores.units import SCORES

_RATIOS = [10, 20, 30, 40, 50, 60]
_DRAWN = {"Perplexity": PERPLEXITY, "Above dense": ABOVE_DENSE}
_USUAL = ["network-energy", "flap", "wanda", "random"]


def draw(history: History, text: str) -> None:
    """Draw the picture of all plans measured on a text, or of the sweep under way."""
    job = job_progress.follow("sweep", on_done=_notify_done)
    if job is not None and job.is_active:
        job_progress.live(job.id, SweepSoFar, _draw_swept)
        return
    if text:
        kept = runs.compared_on(history, text)
        dense = cache.dense_on(history, text, kept)
        level = None
        if math.isfinite(dense.kept):
            level = Level(perplexity=dense.kept, error=dense.kept_error)
        recordings_together = _recordings_together(history, text)
        measured = cache.measured_on(history, text, kept)
        table = trade_table(history.plans, measured, recordings_too=recordings_together)
        _draw_picture(table, level, key="trade")
    else:
        st.caption("Nothing was measured yet.")


def _recordings_together(history: History, text: str) -> bool:
    """Return whether plans of several recordings are to lie on one line."""
    if len({plan.recording_id for plan in history.plans if plan.on(text)}) < 2:
        return False
    return st.toggle(
        "Recordings as seeds",
        key="trade-recordings",
        persist_state="session",
        help="One line for plans that differ in their recording alone, with error bars over the "
        "recordings: for draws of one calibration text, which Record makes with a seed.",
    )


def _notify_done(job: Job) -> None:
    failed = [point for point in job.result.points if point.failure]
    session_state.notify(f"Sweep done, {len(failed)} plans failed" if failed else "Sweep done")


def _draw_swept(swept: Sweep) -> None:
    dense = Level(perplexity=swept.dense.perplexity, error=swept.dense.standard_error)
    _draw_picture(sweep_table(swept), dense, key="trade-live")
    _show_failures(swept)


def sweep_table(swept: Sweep) -> pd.DataFrame:
    """Return a sweep's points with the names of their lines."""
    rows = [{**row, "series": score_label(row["score"])} for row in swept.rows()]
    return pooled(rows, by=("series", "ratio"))


def _show_failures(swept: Sweep) -> None:
    for point in swept.points:
        if point.failure:
            name = f"{score_label(point.score)} at {100 * point.ratio:.0f} %"
            text = wording.sentence(point.failure)
            st.warning(f"{wording.plain(name)}: {text}", icon=":material/warning:")


def _draw_picture(table: pd.DataFrame, dense: Level | None, *, key: str) -> None:
    if table.empty:
        st.caption("No pruned model was measured on this text yet.")
        return
    axis, quantity = _choose_axes(key)
    own_series = [
        name for name in table["series"] if name.startswith(score_label("network-energy"))
    ]
    atlas = view_state.view().atlas
    draw_picture(
        trade_chart(
            table,
            dense,
            axis=axis,
            quantity=quantity,
            own=own_series[0] if own_series else "",
            palette=frame.palette(),
        ),
        key=f"{key}-{axis}-{quantity.is_difference}",
        note=key != "trade-live",
        made=recipes.code("trade", atlas=atlas) if atlas else "",
    )
    st.caption(
        "Error bars: ±1 standard error over the text, paired by window for differences; of several "
        "seeds or recordings, the standard deviation over them."
    )


def _choose_axes(key: str) -> tuple[str, Quantity]:
    """Return the chosen axis and quantity of the picture."""
    axis_names = {"ratio": "Units removed", "parameters": "Parameters kept"}
    with st.container(horizontal=True, gap="small"):
        name = choose("What is drawn", list(_DRAWN), key=f"{key}-quantity", is_kept=True)
        axis = choose(
            "Against",
            list(AXES),
            words=axis_names.__getitem__,
            key=f"{key}-axis",
            default="ratio",
            is_kept=True,
        )
    return axis, _DRAWN[name]


def draw_form(plans: Sequence[PlanRecord]) -> None:
    """Draw the form of a sweep, with what it takes, and the button that starts it."""
    view = view_state.view()
    if not view.atlas:
        st.info("Open an atlas to make plans from it.", icon=":material/info:")
        return
    atlas = resources.atlas(view.atlas)
    scores, ratios, seeds, base = _choose_settings(
        [p for p in plans if p.recording_id == view.recording]
    )
    with st.expander("Text to measure on", icon=":material/menu_book:"):
        texts = text_picker.pick_texts("evaluate", split="held-out")
        max_windows = number("Windows at most", 1, 4096, 24, key="prune-windows")
    if not scores or not ratios or texts is None:
        st.info("Choose at least one score and one ratio.", icon=":material/info:")
        return
    order = SweepOrder(
        recording_id=view.recording,
        decomposition_id=view.atlas,
        base=base,
        scores=tuple(scores),
        ratios=tuple(percent / 100 for percent in ratios),
        n_seeds=seeds,
    )
    window = resources.recording(view.recording).windows.window
    if job_progress.is_active("sweep"):
        return
    model = model_offer.in_memory(atlas)
    if model is not None:
        _show_estimate(order, texts, window, int(max_windows), model)
    model_offer.will_be_loaded(model, then="The time that the sweep takes is shown after that.")
    if st.button("Sweep", type="primary", icon=":material/stacked_line_chart:", key="sweep-start"):
        job = SweepJob(
            model=view.model, order=order, texts=texts, window=window, max_windows=int(max_windows)
        )
        job_progress.run(run_sweep(job))


def _choose_settings(plans: Sequence[PlanRecord]) -> tuple[list[str], list[int], int, PlanSettings]:
    scores = st.pills(
        "Scores",
        list(SCORES),
        selection_mode="multi",
        default=_USUAL,
        format_func=score_label,
        wrap=True,
        key="sweep-scores",
        persist_state="session",
    )
    ratios = st.pills(
        "Units to remove, %",
        _RATIOS,
        selection_mode="multi",
        default=[20, 40],
        wrap=True,
        key="sweep-ratios",
        persist_state="session",
    )
    seeds = number("Random seeds", 1, 20, 3, key="sweep-seeds", width=150)
    options: dict[str, PlanSettings] = {"The usual settings, all networks": PlanSettings()}
    options |= {title(plan): plan.settings for plan in plans}
    viewed_title = next((title(plan) for plan in plans if plan.id == view_state.view().plan), None)
    name = st.selectbox(
        "Networks, allocation, compensation and pins as in",
        list(options),
        index=0 if viewed_title is None else list(options).index(viewed_title),
        key="sweep-base",
    )
    return list(scores), sorted(ratios), int(seeds), options[name]


def _show_estimate(
    order: SweepOrder, texts: TextChoice, window: int, max_windows: int, model: LanguageModel
) -> None:
    with frame.explaining():
        windows = shared.windows(texts, window, max_windows, model)
        n_tokens = resources.recording(order.recording_id).n_tokens
        cost = estimate_sweep(model, windows, order, n_tokens=n_tokens)
        st.caption(
            f"At most {wording.count(cost.n_plans, 'plan')} and the dense model on "
            f"{wording.count(windows.n_windows, 'window')}: about "
            f"{wording.duration(cost.seconds)} and {wording.size(cost.disk_bytes)} on disk. "
            "What was made or measured before is found; a stopped sweep goes on where it was."
        )
        training_note.show_note(order.wanted())
