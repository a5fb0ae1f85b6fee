"""Export: take the pruned model away in a form that other tools load, with what was measured."""

import streamlit as st

from app.pruning import expectation, other_texts
from app.pruning.export import forms, measured, panel
from app.shell import resources, view_state
from app.shell.caches import generations as cache
from app.widgets import frame


def show(plan: str) -> None:
    """Draw the forms, what was measured of the plan, and the export in the chosen form."""
    pruning_plan = resources.plan(plan)
    model = forms.model_of(pruning_plan)
    form = forms.chosen_form(pruning_plan, model)
    forms.cards(plan, pruning_plan, model, form)
    left, right = st.columns(2, gap="large")
    with left, frame.explaining():
        expectation.draw(plan)
        panel.export(plan, form, pruning_plan, model)
    with right, frame.explaining():
        st.subheader("Figures of the model card", anchor=False)
        measured.facts(pruning_plan)
        st.markdown("**Perplexity**")
        measured.quality(plan)
        other_texts.draw(plan)
        st.markdown("**Speed on this machine**")
        measured.speed(plan, pruning_plan)


frame.heading(
    "Export",
    "Take the pruned model away: in a form that other tools load, checked before it is announced, "
    "with what was measured of it.",
    terms=("pruning", "compensation"),
)
with frame.explaining():
    plans = cache.plans()
    if not view_state.view().plan and plans:
        view_state.change(plan=plans[0])  # the newest
        st.rerun()  # the bar above was drawn without it
    if view_state.view().plan:
        show(view_state.view().plan)
    else:
        frame.no_plans("Choose what to protect and apply it; the plan can then be taken away.")
