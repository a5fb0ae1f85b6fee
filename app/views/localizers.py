"""Localizers: two kinds of texts by turns, and which networks and neurons respond."""

import pandas as pd
import streamlit as st

from app import components, localizer_choice, localizer_panel, resources, state
from app.caches import localizers as cache
from app.jobs import Job
from app.tasks_localizers import KIND
from fnprune_core import localizers
from fnprune_core.localizing import Found
from fnprune_core.networks import NetworkAtlas


def take(job: Job) -> None:
    """Look at what a run has found."""
    state.change(localizer=job.inputs["localizer"] or job.result, show="")


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
        key = chosen.name if chosen.name in localizers.READY else chosen.id
        if key != name:
            state.change(localizer=key, show="")
            st.rerun()


def show(atlas: NetworkAtlas) -> None:
    """Draw the choice, the stimuli, and what was found or the way to find it."""
    found = cache.results(atlas.id)
    name = localizer_choice.choose(found)
    result = next((each.id for each in found if name in (each.name, each.id)), "")
    if name in localizers.READY:
        localizer = cache.ready(name)
    elif result:
        localizer = cache.result(result).localizer
    else:
        uploaded = localizer_choice.upload()
        if uploaded is None:
            return
        localizer = uploaded
    localizer_choice.show_stimuli(localizer)
    components.follow(KIND, on_done=take)
    if result:
        localizer_panel.show(atlas, cache.result(result))
    else:
        localizer_choice.run(atlas, localizer)
    overview(found, name)


components.heading(
    "Localizers",
    "Blocks of texts in alternating conditions, as in a scanner: which networks and neurons "
    "respond to one kind more than to the other.",
    terms=("localizer", "design"),
)
with components.explaining():
    if not state.view().atlas:
        components.no_networks()
    else:
        show(resources.atlas(state.view().atlas))
