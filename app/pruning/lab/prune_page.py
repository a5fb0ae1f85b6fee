"""Prune: choose what to preserve, see what goes, apply, and watch the perplexity come in."""

import streamlit as st

from app.pruning import plan_card
from app.pruning.lab import apply, log, networks, rule_buttons
from app.pruning.lab.preview import panels
from app.pruning.lab.search import panels as share_panel
from app.shell import resources, view_state
from app.widgets import frame, pinned_units
from fnprune_core.assets import asset
from fnprune_core.atlas.network_atlas import NetworkAtlas


def show_choice(atlas: NetworkAtlas, form_state: apply.Asked) -> None:
    """Draw the rules, the networks and the selected one."""
    rule_buttons.bar(atlas)
    networks.show(atlas, panels.losses(atlas, form_state.possible))


def show_plan(atlas: NetworkAtlas) -> apply.Asked:
    """Draw the form, what would go, the button Apply and what comes of it; return the form."""
    st.markdown(f"{networks.sign(atlas)} **{networks.summary(atlas)}**")
    form_state = apply.draw_form()
    panels.show(atlas, form_state.possible)
    with st.container(horizontal=True, gap="xsmall"):
        measure = apply.choose_measure()
        if form_state.settings is not None:
            share_panel.show(form_state.settings)
        button = st.container(width=130)
    apply.apply(form_state, measure, button)
    apply.headline(form_state)
    return form_state


def show_more(atlas: NetworkAtlas, form_state: apply.Asked) -> None:
    """Draw what does not fit on one screen: results, the preview by layer, pins, and the log."""
    with frame.explaining():
        apply.results(form_state)
    with frame.explaining():
        panels.show_details(atlas, form_state.possible)
    with frame.explaining():
        pinned_units.show(atlas)
    log.show(view_state.view().plan)


def show_lab(atlas: NetworkAtlas) -> None:
    """Draw networks on the left, the plan on the right, in a column that stays in sight."""
    left, right = st.columns([7, 5], gap="medium")
    form_state = apply.Asked()
    with right, st.container(key="lab-side", gap="xsmall"), frame.explaining():
        form_state = show_plan(atlas)
    with left, frame.explaining():
        show_choice(atlas, form_state)
    show_more(atlas, form_state)


with st.container(key="lab-head"):
    frame.heading(
        "Prune",
        "Choose the networks to protect; the units that serve the others least are silenced, and "
        "what that costs is measured beside the dense model and rival scores.",
        terms=("pruning", "energy"),
    )
if not view_state.view().atlas:
    frame.no_networks()
else:
    with frame.explaining():
        st.html(asset("styles/lab.css"))
        atlas = resources.atlas(view_state.view().atlas)
        plan_card.adopt(view_state.view().plan)
        log.adopt(view_state.view().plan)
        show_lab(atlas)
