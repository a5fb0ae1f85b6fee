"""What a compensation that trains will take, said before it is started."""

from collections.abc import Sequence

import streamlit as st

from app import components, model_offer, resources, state
from app.caches import lab as cache
from fnprune_core.plans import PlanSettings
from fnprune_core.training_estimates import estimate_training, is_trained


def say(plans: Sequence[PlanSettings], *, key: str) -> None:
    """Say how long training these plans takes, and in what memory; nothing where none is."""
    n_trained = sum(is_trained(each) for each in plans)
    view = state.view()
    if not n_trained or not view.recording:
        return
    what = components.count(n_trained, "plan")
    model = model_offer.loaded(
        needed_for=f"to say how many minutes Reconstruction trains {what}", key=key
    )
    if model is None:
        return
    windows = resources.recording(view.recording).windows
    per_token = cache.seconds_per_token(model.fingerprint, view.recording, model, windows)
    takes = estimate_training(model, windows, plans, token_s=per_token)
    text = (
        f"Reconstruction trains on the recording: about {components.duration(takes.seconds_each)} "
        f"and {components.size(takes.memory_bytes)} of memory beside the model"
    )
    if takes.n_plans > 1:
        text += (
            f" for each of {takes.n_plans} plans, {components.duration(takes.seconds)} in all; "
            "with fewer rivals it is less. Plans that were trained before are found"
        )
    st.info(f"{text}. Stop keeps the plans that are finished.", icon=":material/timer:")
