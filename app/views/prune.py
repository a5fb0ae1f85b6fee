"""Prune: choose what to preserve, see what goes, apply, and watch the perplexity come in."""

from functools import partial

import streamlit as st

from app import (
    components,
    lab,
    lab_apply,
    lab_log,
    lab_rules,
    pins,
    plan_card,
    preview_panel,
    resources,
    share_panel,
    state,
)
from fnprune_core.networks import NetworkAtlas


def show_choice(atlas: NetworkAtlas, asked: lab_apply.Asked) -> None:
    """Draw what decides which networks are preserved."""
    lab_rules.bar(atlas)
    if asked.settings is not None and asked.refused is None:
        lab.show(atlas, partial(preview_panel.costs, atlas, asked.settings))
    else:
        lab.show(atlas)
    lab_log.show(state.view().plan)


def show_preview(atlas: NetworkAtlas, asked: lab_apply.Asked) -> None:
    """Draw what the plan would do, and the units that are pinned."""
    if asked.settings is not None and asked.refused is None:
        preview_panel.show(atlas, asked.settings)
    else:  # it may be the pinned units that are refused
        with components.explaining():
            pins.show(atlas)


def show_lab(atlas: NetworkAtlas) -> None:
    """Draw networks on the left, the plan on the right, and below what it would do.

    The table comes last: its estimates take longest, and the preview must not wait for them.
    """
    left, right = st.columns([8, 5], gap="large")
    below = st.container()
    asked = lab_apply.Asked()
    with right, components.explaining():
        st.markdown(f"{lab.sign(atlas)} **{lab.summary(atlas)}**")
        asked = lab_apply.ask()
        if asked.settings is not None:
            share_panel.show(asked.settings)
        lab_apply.apply(atlas, asked)
    with below:
        show_preview(atlas, asked)
    with left, components.explaining():
        show_choice(atlas, asked)


components.heading(
    "Prune",
    "Choose the networks to preserve; the units that serve the others least are silenced, and "
    "what that costs is measured beside the dense model and rival scores.",
    terms=("pruning", "energy"),
)
if not state.view().atlas:
    components.no_networks()
else:
    with components.explaining():
        opened = resources.atlas(state.view().atlas)
        lab_log.adopt(state.view().plan)
        plan_card.adopt(state.view().plan)
        show_lab(opened)
    with components.explaining():
        lab_apply.results()
