"""What a compensation that trains will take, said before it is started."""

from collections.abc import Sequence

import streamlit as st

from app.pruning.data import seconds_per_token
from app.shell import resources, view_state, wording
from app.widgets import model_offer
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.estimates import estimate_training, is_trained


def show_note(plans: Sequence[PlanSettings], *, key: str) -> None:
    """Say how long training these plans takes, and in what memory; nothing where none is."""
    n_trained = sum(is_trained(each) for each in plans)
    view = view_state.view()
    if not n_trained or not view.recording:
        return
    what = wording.count(n_trained, "plan")
    model = model_offer.loaded(
        needed_for=f"to say how many minutes Reconstruction trains {what}", key=key
    )
    if model is None:
        return
    windows = resources.recording(view.recording).windows
    per_token = seconds_per_token(model.fingerprint, view.recording, model, windows)
    takes = estimate_training(model, windows, plans, token_s=per_token)
    text = (
        f"Reconstruction trains on the recording: about {wording.duration(takes.seconds_each)} "
        f"and {wording.size(takes.memory_bytes)} of memory beside the model"
    )
    if takes.n_plans > 1:
        text += (
            f" for each of {takes.n_plans} plans, {wording.duration(takes.seconds)} in all; "
            "with fewer rivals it is less. Plans that were trained before are found"
        )
    st.info(f"{text}. Stop keeps the plans that are finished.", icon=":material/timer:")
