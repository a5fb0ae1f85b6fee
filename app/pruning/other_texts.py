"""A plan on the text that no choice saw, in a sentence."""

import streamlit as st

from app.shell import resources
from fnprune_core.evaluation import elsewhere


def draw(plan_id: str) -> None:
    """Draw what a plan costs on texts of other kinds than it was calibrated on."""
    measured = elsewhere.stored(resources.workspace(), plan_id)
    what = "" if measured is None else f"{measured.sentence()} "
    st.markdown("**On other texts**")
    st.caption(f"{what}{elsewhere.WARNING}")
