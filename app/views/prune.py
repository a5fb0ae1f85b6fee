"""Prune: choose what to preserve, apply, and watch the perplexity come in."""

from pathlib import Path

import streamlit as st

from app import (
    comparison,
    components,
    lab,
    lab_apply,
    lab_log,
    lab_rules,
    resources,
    state,
    tasks_export,
)
from app.jobs import Job
from fnprune_core.networks import NetworkAtlas


def show_choice(atlas: NetworkAtlas) -> None:
    """Draw what decides which networks are preserved."""
    lab_rules.bar(atlas)
    lab.show(atlas)
    lab_log.show(state.view().plan)


def show_export(plan: str, job: Job | None) -> None:
    """Write the pruned model to a folder."""
    folder = st.text_input(
        "Folder", value=str(resources.export_folder(plan)), key=f"export-folder-{plan}"
    )
    components.follow("export", on_done=lambda done: state.notify("Exported"))
    done = components.job_of("export")
    if not components.is_active("export") and st.button("Export", icon=":material/save:"):
        components.start(
            tasks_export.export(
                resources.shelf(),
                resources.workspace(),
                tasks_export.ExportOrder(
                    model=state.view().model, plan=plan, target=str(Path(folder).expanduser())
                ),
            )
        )
        st.rerun()
    if done is not None and done.state == "done":
        components.exported(done.result.folder)


components.heading(
    "Prune",
    "Choose the networks to preserve; the units that serve the others least are silenced, and "
    "what that costs is measured beside the dense model and rival scores.",
)
if not state.view().atlas:
    components.no_networks()
else:
    with components.explaining():
        atlas = resources.atlas(state.view().atlas)
        lab_log.adopt(state.view().plan)
        left, right = st.columns([8, 5], gap="large")
        with left, components.explaining():
            show_choice(atlas)
        with right, components.explaining():
            st.markdown(f"**{lab.summary(atlas)}**")
            lab_apply.apply(atlas, lab_apply.ask())
    with components.explaining():
        lab_apply.results()
        if state.view().plan and not components.is_active("prune"):
            st.subheader("Export", anchor=False)
            show_export(state.view().plan, comparison.job_of(state.view().plan))
