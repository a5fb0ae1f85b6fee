"""Opening a network of the worked example."""

import streamlit as st

from app.shell import navigation, resources, view_state
from app.widgets import frame
from fnprune_core.example.ids import find_example


def open_example(network: int) -> None:
    """Open a network of the example."""
    example_ids = find_example(resources.workspace())
    if example_ids is not None:
        navigation.open_atlas(example_ids.decomposition_id, recording=example_ids.recording_id)
        view_state.change(model="embedded", network=network)
        st.switch_page(frame.ATLAS)
