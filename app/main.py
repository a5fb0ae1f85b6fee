"""Entry point of the app: page settings, navigation, frame; no logic."""

from pathlib import Path

import streamlit as st

from app import components, state

_STATIC = Path(__file__).parent / "static"

st.set_page_config(page_title="fnprune", page_icon=str(_STATIC / "icon.png"), layout="wide")
st.logo(str(_STATIC / f"logo-{components.palette().mode}.svg"), size="large")
page = st.navigation(
    [
        st.Page(
            components.START,
            title="Start",
            icon=":material/home:",
            help="Open the example, load a model, or go on with earlier work.",
            default=True,
        ),
        st.Page(
            components.RECORD,
            title="Record",
            icon=":material/graphic_eq:",
            help="Record every unit of the model while it reads texts.",
        ),
        st.Page(
            components.DECOMPOSE,
            title="Decompose",
            icon=":material/hub:",
            help="Find the functional networks of a recording.",
        ),
        st.Page(
            components.ATLAS,
            title="Atlas",
            icon=":material/neurology:",
            help="Look at each network: its map, its time course, its texts.",
        ),
        st.Page(
            components.PRUNE,
            title="Prune",
            icon=":material/content_cut:",
            help="Choose networks to preserve, prune, and watch the perplexity.",
        ),
    ],
    position="top",
)
state.synchronise()
components.frame()
with components.explaining():
    page.run()
