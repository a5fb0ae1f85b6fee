"""Note on the time and memory of a compensation that trains, before it starts."""

from collections.abc import Sequence

import streamlit as st

from app.shell import resources, view_state, wording
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.estimates import estimate_training, is_trained


def show_note(plans: Sequence[PlanSettings]) -> None:
    """Draw how long training these plans takes, and in what memory; nothing if none is trained."""
    n_trained = sum(is_trained(plan) for plan in plans)
    view = view_state.view()
    if not n_trained or not view.recording:
        return
    model = resources.language_model(view.model)
    if model is None:
        st.info(
            f"Reconstruction trains {wording.count(n_trained, 'plan')} on the recording, which "
            "takes minutes each; how many is shown when the model is in memory.",
            icon=":material/timer:",
        )
        return
    windows = resources.recording(view.recording).windows
    cost = estimate_training(model, windows, plans)
    text = (
        f"Reconstruction trains on the recording: about {wording.duration(cost.seconds_each)} "
        f"and {wording.size(cost.memory_bytes)} of memory beside the model"
    )
    if cost.n_plans > 1:
        text += (
            f" for each of {cost.n_plans} plans, {wording.duration(cost.seconds)} in all; "
            "with fewer rivals it is less. Plans that were trained before are found"
        )
    st.info(f"{text}. Stop keeps the plans that are finished.", icon=":material/timer:")
