"""Export: take the pruned model away in a form that other tools load, with what was measured."""

import streamlit as st

from app import components, export_forms, export_measured, export_panel, resources, state


def show(plan: str) -> None:
    """Draw the forms, what was measured of the plan, and the export in the chosen form."""
    made = resources.plan(plan)
    model = export_forms.model_of(made)
    export_forms.cards(made, model)
    form = export_forms.chosen()
    left, right = st.columns(2, gap="large")
    with left, components.explaining():
        export_panel.export(plan, form, made, model)
    with right, components.explaining():
        st.subheader("What is quoted", anchor=False)
        export_measured.facts(made)
        st.markdown("**Perplexity**")
        export_measured.quality(plan)
        st.markdown("**Speed on this machine**")
        export_measured.speed(plan, made)


components.heading(
    "Export",
    "Take the pruned model away: in a form that other tools load, checked before it is announced, "
    "with what was measured of it.",
    terms=("pruning", "compensation"),
)
with components.explaining():
    if state.view().plan:
        show(state.view().plan)
    else:
        components.empty(
            "No plan yet",
            "Choose what to preserve and apply it; the plan can then be taken away.",
            button="Go to Prune",
            page=components.PRUNE,
            icon="content_cut",
        )
