"""Plans page: every plan of this model with its measurements, compared, named, opened again."""

import streamlit as st

from app.pruning import data, plan_card, plan_rows
from app.pruning.plans import compare, runs, sweep
from app.pruning.plans import data as cache
from app.shell import resources, view_state, wording
from app.shell.jobs.job import describe_error
from app.widgets import atlas_frame, frame
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.history import History

_NONE = "Choose networks to protect and apply: each plan is kept here."
SHOWN = {"history": "Runs", "sweep": "Cost against size"}


def fingerprint() -> str:
    """Return the fingerprint of the model that the view is about; empty for all models."""
    view = view_state.view()
    model = resources.language_model(view.model)
    if view.recording:
        try:
            return str(resources.manifest("recordings", view.recording)["inputs"]["fingerprint"])
        except FnpruneError:  # the recording was deleted since
            pass
    return "" if model is None else model.fingerprint


def choose_text(history: History) -> str:
    """Return the chosen text on which plans are compared; empty if nothing was measured."""
    texts = history.texts()
    if len(texts) < 2:
        return texts[0] if texts else ""
    return st.selectbox(
        "Measured on",
        texts,
        format_func=lambda text: plan_rows.text_label(history, text),
        key="plans-text",
        persist_state="session",
    )


def show_history(history: History, text: str) -> None:
    """Draw the table of runs, and the chosen plans under it."""
    chosen = runs.show(history, text, runs.compared_on(history, text))
    chosen_plans = [plan for id in chosen for plan in history.plans if plan.id == id]
    if len(chosen_plans) > 1:
        compare.draw(history, text, chosen_plans)
        for plan in chosen_plans:
            with st.expander(wording.plain(data.title(plan)), icon=":material/edit:"):
                plan_card.draw(plan)
    elif chosen_plans:
        plan_card.draw(chosen_plans[0])


def show_sweep(history: History, text: str) -> None:
    """Draw cost against size, and the form of a sweep."""
    left, right = st.columns([8, 5], gap="large")
    with right, frame.explaining():
        sweep.draw_form(history.plans)
    with left, frame.explaining():
        sweep.draw(history, text)


frame.heading(
    "Plans",
    "Every plan of this model with what was measured of it: compare, name, share, open again.",
    terms=("pruning", "perplexity"),
)
with frame.explaining():
    history = cache.history(fingerprint())
    for error in history.unreadable:
        frame.error(describe_error(error))
    if not history.plans and not view_state.view().atlas:
        frame.no_plans(_NONE, title="No plans yet")
    else:
        section = atlas_frame.section(SHOWN, key="plans-shown")
        text = choose_text(history)
        if section == "sweep":
            show_sweep(history, text)
        elif history.plans:
            show_history(history, text)
        else:
            frame.no_plans(_NONE, title="No plans yet")
