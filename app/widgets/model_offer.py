"""The model where a page needs it: the one in memory, or the offer to load it in place."""

import streamlit as st

from app.shell import resources, session_state, view_state
from app.shell.jobs import tasks
from app.widgets import job_progress
from app.widgets.controls import button
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


def in_memory(atlas: NetworkAtlas) -> LanguageModel | None:
    """Return the view's model if it is in memory and the atlas's own; None if it is not.

    For pages whose buttons start a job, which loads the model: they can say less before.
    """
    model = resources.language_model(view_state.view().model)
    if model is not None:
        model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    return model


def will_be_loaded(model: LanguageModel | None, *, then: str = "") -> None:
    """Say beside a button that it loads the model first, where it is not in memory.

    Parameters
    ----------
    then : str
        What is only known once it is in memory, as a sentence.
    """
    if model is None:
        st.caption(f"The model is not in memory yet, and is loaded first. {then}".strip())


def loaded(*, needed_for: str, key: str) -> LanguageModel | None:
    """Return the view's model if it is in memory; else offer to load it."""
    source = view_state.view().model
    model = resources.language_model(source)
    if model is None:
        job_progress.follow(
            "load", on_done=lambda job: session_state.notify(f"{job.result.name} is loaded")
        )
        if not job_progress.is_active("load"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                button(
                    "Load the model",
                    "download",
                    key=f"{key}-load",
                    does=lambda: job_progress.start(tasks.load(model=source)),
                )
                st.caption(f"The model is not in memory yet; it is needed {needed_for}.")
    return model
