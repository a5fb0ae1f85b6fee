"""Localizers page: two kinds of texts by turns, and the networks and units that respond."""

import pandas as pd
import streamlit as st

from app.experiments.localizers import choice, panels
from app.experiments.localizers import data as cache
from app.experiments.localizers.localizer_tasks import KIND
from app.shell import resources, view_state
from app.shell.jobs.job import Job
from app.widgets import controls, frame, job_progress, moved_networks
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import NetworksMovedError
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.run import Found
from fnprune_core.probability import p_text


def select_result(job: Job) -> None:
    """Select the localizer that a run has finished."""
    view_state.change(localizer=job.inputs["localizer"] or job.result, show="")


def overview(runs: list[Found], name: str) -> None:
    """Draw the result of every localizer of this atlas; a chosen row opens it."""
    if len(runs) < 2:
        return
    st.subheader("All that were run on this atlas", anchor=False)
    table = pd.DataFrame(
        [
            {
                "localizer": run.title,
                "accuracy": run.accuracy * 100,
                "± %": run.standard_error * 100,
                "p": p_text(run.p),
                "contrast": run.contrast,
                "run": run.created[:16].replace("T", " "),
            }
            for run in runs
        ]
    )

    def open_run(row: int) -> None:
        chosen = runs[row]
        is_ready = chosen.name in ready_made.READY
        view_state.change(localizer=chosen.name if is_ready else chosen.id, show="")

    controls.table(
        table,
        key=f"localizer-overview-{name}",
        on_row=open_run,
        alt="Decoding accuracy of every localizer",
        columns={
            "accuracy": st.column_config.ProgressColumn(
                "decoding", min_value=0, max_value=100, format="%.0f %%", color="auto"
            ),
            "± %": "%.1f",
        },
    )


def show(atlas: NetworkAtlas) -> None:
    """Draw the choice, the stimuli, and the result or the button that runs the localizer."""
    runs = cache.runs(atlas.id)
    name = choice.choose(runs)
    result = next((run.id for run in runs if name in (run.name, run.id)), "")
    if name in ready_made.READY:
        localizer = cache.ready(name)
    elif result:
        try:
            localizer = cache.result(result, atlas.id).localizer
        except NetworksMovedError as error:
            moved_networks.offer(atlas.id, error, key="localizer")
            return
    else:
        uploaded = choice.upload()
        if uploaded is None:
            return
        localizer = uploaded
    choice.show_stimuli(localizer)
    job_progress.follow(KIND, on_done=select_result)
    if result:
        try:
            found = cache.result(result, atlas.id)
        except NetworksMovedError as error:
            moved_networks.offer(atlas.id, error, key="localizer")
        else:
            panels.show(atlas, found)
    else:
        choice.run(atlas, localizer)
    overview(runs, name)


frame.heading(
    "Localizers",
    "Blocks of texts in alternating conditions, as in a scanner: which networks and units "
    "respond to one kind more than to the other.",
    terms=("localizer", "design"),
)
with frame.explaining():
    if not view_state.view().atlas:
        frame.no_networks()
    else:
        show(resources.atlas(view_state.view().atlas))
