"""The model where a page needs it: the one in memory, or the offer to load it in place."""

import streamlit as st

from app.shell import resources, tasks, view_state
from app.widgets import job_progress
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.models.language_model import LanguageModel


def language_model(atlas: NetworkAtlas, *, needed_for: str, key: str) -> LanguageModel | None:
    """Return the view's model if it is in memory and the atlas's own; else say what to do.

    Parameters
    ----------
    needed_for : str
        What the page would do with it, as the end of a sentence: "to read a text".
    """
    model = loaded(needed_for=needed_for, key=key)
    if model is not None:
        model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    return model


def loaded(*, needed_for: str, key: str) -> LanguageModel | None:
    """Return the view's model if it is in memory; else offer to load it."""
    source = view_state.view().model
    model = resources.language_model(source)
    if model is None:
        job_progress.follow(
            "load", on_done=lambda job: view_state.notify(f"{job.result.name} is loaded")
        )
        if not job_progress.is_active("load"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    "Load the model",
                    icon=":material/download:",
                    key=f"{key}-load",
                    on_click=lambda: job_progress.start(tasks.load(model=source)),
                )
                st.caption(f"The model is not in memory yet; it is needed {needed_for}.")
    return model
