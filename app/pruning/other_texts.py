"""A plan on the text that no choice saw, in a sentence."""

import streamlit as st

from app.shell import resources
from fnprune_core.evaluation import elsewhere
from fnprune_core.evaluation.results import ELSEWHERE


def draw(plan_id: str) -> None:
    """Draw what a plan costs on texts of other kinds than it was calibrated on."""
    measured = elsewhere.stored(resources.workspace(), plan_id)
    st.markdown("**On other texts**")
    if measured is not None:
        st.metric(
            f"{ELSEWHERE[0].upper()}{ELSEWHERE[1:]}, short texts that no choice saw",
            f"{measured.plan.perplexity:.2f}",
            f"{measured.times_dense:.2f} times dense",
            delta_color="off",
            delta_arrow="off",
            help=measured.sentence(),
        )
        above = measured.above_dense.text(digits=3)
        st.caption(f"dense {measured.dense.perplexity:.2f}; {above} nats per token")
    st.caption(elsewhere.WARNING)
