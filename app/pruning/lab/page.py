"""Prune: choose what to preserve, see what goes, apply, and watch the perplexity come in."""

from functools import partial

import streamlit as st

from app.pruning import plan_card
from app.pruning.lab import apply, log, networks, rule_buttons
from app.pruning.lab.preview import panels
from app.pruning.lab.search import panels as share_panel
from app.shell import resources, view_state
from app.widgets import frame, pinned_units
from fnprune_core.atlas.network_atlas import NetworkAtlas


def show_choice(atlas: NetworkAtlas, form_state: apply.Asked) -> None:
    """Draw the rules, the networks and the log of decisions."""
    rule_buttons.bar(atlas)
    if form_state.settings is not None and form_state.refused is None:
        networks.show(atlas, partial(panels.costs, atlas, form_state.settings))
    else:
        networks.show(atlas)
    log.show(view_state.view().plan)


def show_preview(atlas: NetworkAtlas, form_state: apply.Asked) -> None:
    """Draw the preview of the plan, and the units that are pinned."""
    if form_state.settings is not None and form_state.refused is None:
        panels.show(atlas, form_state.settings)
    else:  # it may be the pinned units that are refused
        with frame.explaining():
            pinned_units.show(atlas)


def show_lab(atlas: NetworkAtlas) -> None:
    """Draw networks on the left, the plan on the right, and its preview below.

    The table comes last: its estimates take longest, and the preview must not wait for them.
    """
    left, right = st.columns([8, 5], gap="large")
    preview_area = st.container()
    form_state = apply.Asked()
    with right, frame.explaining():
        st.markdown(f"{networks.sign(atlas)} **{networks.summary(atlas)}**")
        form_state = apply.draw_form()
        if form_state.settings is not None:
            share_panel.show(form_state.settings)
        apply.apply(atlas, form_state)
    with preview_area:
        show_preview(atlas, form_state)
    with left, frame.explaining():
        show_choice(atlas, form_state)


frame.heading(
    "Prune",
    "Choose the networks to preserve; the units that serve the others least are silenced, and "
    "what that costs is measured beside the dense model and rival scores.",
    terms=("pruning", "energy"),
)
if not view_state.view().atlas:
    frame.no_networks()
else:
    with frame.explaining():
        atlas = resources.atlas(view_state.view().atlas)
        log.adopt(view_state.view().plan)
        plan_card.adopt(view_state.view().plan)
        show_lab(atlas)
    with frame.explaining():
        apply.results()
