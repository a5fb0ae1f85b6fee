"""Localizers: two kinds of texts by turns, and which networks and neurons respond."""

import pandas as pd
import streamlit as st

from app.experiments.localizers import choice, panels
from app.experiments.localizers import data as cache
from app.experiments.localizers.tasks import KIND
from app.shell import resources, view_state
from app.shell.jobs import Job
from app.widgets import frame, job_progress
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.run import Found


def take(job: Job) -> None:
    """Look at what a run has found."""
    view_state.change(localizer=job.inputs["localizer"] or job.result, show="")


def overview(found: list[Found], name: str) -> None:
    """Draw what every localizer of this atlas gave; a chosen row opens it."""
    if len(found) < 2:
        return
    st.subheader("All that were run on this atlas", anchor=False)
    table = pd.DataFrame(
        [
            {
                "localizer": each.title,
                "accuracy": each.accuracy * 100,
                "± %": each.standard_error * 100,
                "p": each.p,
                "contrast": each.contrast,
                "run": each.created[:16].replace("T", " "),
            }
            for each in found
        ]
    )
    number = st.column_config.NumberColumn
    event = st.dataframe(
        table,
        hide_index=True,
        key=f"localizer-overview-{name}",
        on_select="rerun",
        selection_mode="single-row",
        alt="Decoding accuracy of every localizer",
        column_config={
            "accuracy": st.column_config.ProgressColumn(
                "decoding", min_value=0, max_value=100, format="%.0f %%", color="auto"
            ),
            "± %": number(format="%.1f"),
            "p": number(format="%.4f"),
        },
    )
    rows = event["selection"]["rows"]
    if rows:
        chosen = found[rows[0]]
        key = chosen.name if chosen.name in ready_made.READY else chosen.id
        if key != name:
            view_state.change(localizer=key, show="")
            st.rerun()


def show(atlas: NetworkAtlas) -> None:
    """Draw the choice, the stimuli, and what was found or the way to find it."""
    found = cache.results(atlas.id)
    name = choice.choose(found)
    result = next((each.id for each in found if name in (each.name, each.id)), "")
    if name in ready_made.READY:
        localizer = cache.ready(name)
    elif result:
        localizer = cache.result(result).localizer
    else:
        uploaded = choice.upload()
        if uploaded is None:
            return
        localizer = uploaded
    choice.show_stimuli(localizer)
    job_progress.follow(KIND, on_done=take)
    if result:
        panels.show(atlas, cache.result(result))
    else:
        choice.run(atlas, localizer)
    overview(found, name)


frame.heading(
    "Localizers",
    "Blocks of texts in alternating conditions, as in a scanner: which networks and neurons "
    "respond to one kind more than to the other.",
    terms=("localizer", "design"),
)
with frame.explaining():
    if not view_state.view().atlas:
        frame.no_networks()
    else:
        show(resources.atlas(view_state.view().atlas))
