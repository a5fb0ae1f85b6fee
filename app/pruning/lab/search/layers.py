"""Search of the layers that give more: whole plans tried on calibration text, and their weights."""

from functools import partial

import streamlit as st

from app.figures.layer_profile import shares_profile
from app.pruning import training_note
from app.shell import recipes, resources, view_state, wording
from app.widgets import frame, model_offer
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.search.allocation import AllocationOrder, AllocationSearch


def order_of(settings: PlanSettings) -> AllocationOrder:
    """Return the order for the plan in the form; say how long it takes."""
    view = view_state.view()
    order = AllocationOrder(recording_id=view.recording, decomposition_id=view.atlas, base=settings)
    n_plans = order.n_plans(resources.recording(view.recording).layout.n_layers)
    st.caption(
        f"{wording.count(n_plans, 'plan')} of this size are made and measured: each "
        "takes a little more from one block of layers, the last three move all of them. On the "
        "embedded model about five minutes with least squares."
    )
    training_note.show_note([settings] * n_plans)
    model_offer.will_be_loaded(resources.language_model(view.model))
    return order


def draw_result(result: AllocationSearch) -> None:
    """Draw the shares of the layers before and after, and offer the weights."""
    first, best, view = result.first, result.best, view_state.view()
    draw_picture(
        shares_profile(first.shares, best.shares, palette=frame.palette()),
        key="layers-shares",
        made=recipes.code(
            "allocation",
            atlas=view.atlas,
            model=view.model,
            settings=recipes.changed_settings(first.settings),
        ),
    )
    if not best.settings.layer_weights:
        st.markdown("**None of these was better than what it began with.**")
        return
    st.markdown(
        f"**{result.gain.text(digits=3)} nats per token** on the text of the search, paired by "
        f"window: perplexity {best.result.perplexity:.2f}, before {first.result.perplexity:.2f}."
    )
    weights = ", ".join(f"{weight:g}" for weight in best.settings.layer_weights)
    button("Use these weights", "check", key="layers-use", does=partial(_use_weights, weights))


def _use_weights(weights: str) -> None:
    view_state.remember("prune-allocation", WEIGHTED)
    view_state.remember("prune-weights", weights)
