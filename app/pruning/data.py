"""Cached timings that the pages on plans share."""

import streamlit as st

from fnprune_core.models.language_model import LanguageModel
from fnprune_core.pruning import estimates
from fnprune_core.texts.windows import Windows


@st.cache_data(max_entries=8, show_spinner="Timing one pass of the model")
def seconds_per_token(
    fingerprint: str, recording: str, _model: LanguageModel, _windows: Windows
) -> float:
    """Return how long the model takes to read a token of a recording, timed once."""
    return estimates.seconds_per_token(_model, _windows)
