"""What stands below the first picture of Start: the example's networks, a model, earlier work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import streamlit as st

from app.shell import resources, view_fields, view_state
from app.shell.caches import trust
from app.shell.images import kept
from app.start.chooser import show_model
from app.start.earlier_work import earlier_work
from app.start.example_button import open_example
from app.start.health import damaged_work, verification
from app.start.start_tasks import example
from app.widgets import frame, job_progress
from app.widgets.frame import ATLAS, DECOMPOSE, PRUNE, RECORD
from app.widgets.gallery import gallery, tiles
from fnprune_core.example.ids import ExampleIds


def draw(example_ids: ExampleIds | None, *, is_laid_out: bool) -> None:
    """Draw it; `is_laid_out` tells whether the example has a cortex."""
    left, right = st.columns([5, 2], gap="large")
    with left:
        show_example(example_ids, is_laid_out=is_laid_out)
    with right:
        st.subheader("Model", anchor=False)
        with frame.explaining():
            show_model()
    job_progress.own_jobs("example", "load")
    with frame.explaining():
        entries, damaged = resources.workspace().contents()
        earlier_work(entries)
        damaged_work(damaged)
        if entries or damaged:
            verification()


def steps() -> None:
    """Draw the path from a text to a pruned model, each step a link."""
    st.subheader("Or go step by step", anchor=False)
    for page, label, text in (
        (RECORD, "Record", "the model reads texts, and every unit's activation is kept"),
        (DECOMPOSE, "Decompose", "ICA finds the units that are active together"),
        (ATLAS, "Atlas", "see where each network is and what it responds to"),
        (PRUNE, "Prune", "choose what to protect, and watch what that costs"),
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(page, label=label, width=130)
            st.caption(text, width="stretch")


def show_example(example_ids: ExampleIds | None, *, is_laid_out: bool) -> None:
    """Offer the example: a real atlas at once, or the button that builds it."""
    if example_ids is None:
        job_progress.offer(
            "example", "Build the example", "play_arrow", example, done="The example is ready",
            kind="primary",
            before="The embedded model reads texts that come with Python, and its networks are "
            "found. This is done once and takes about two minutes.",
        )  # fmt: skip
        steps()
        return
    with frame.explaining():
        st.caption(
            "Each picture is one functional network of SmolLM2-135M, in the layer of "
            "its peak: neurons that are active together lie side by side, warm and cold ones with "
            "opposite signs. The grey is how active each neuron is in all networks."
        )
        gallery(
            example_tiles(example_ids.decomposition_id, is_laid_out=is_laid_out),
            selected=None,
            key="start-gallery",
            name="Networks of the example",
            on_pick=open_example,
        )


def example_tiles(atlas_id: str, *, is_laid_out: bool) -> Sequence[dict[str, Any]]:
    """Return the example's tiles, of networks that recur first; as they are at first, kept."""
    view = view_state.view()
    is_usual = view.z == view_fields.DEFAULT_Z and not (atlas_id == view.atlas and view.dropped)
    if not (is_laid_out and is_usual):
        return tiles(atlas_id, trust.recurring_first(atlas_id))
    shown = kept.facts(
        atlas_id, "tiles", lambda: {"tiles": tiles(atlas_id, trust.recurring_first(atlas_id))}
    )
    return cast(Sequence[dict[str, Any]], shown["tiles"])
