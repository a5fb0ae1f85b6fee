"""Start page: the example at once, a model, and earlier work.

What it shows of the example is kept: nothing that takes seconds to import is needed then.
"""

import streamlit as st

from app import pages
from app.shell import resources
from app.start import below
from app.start.example_button import open_example
from app.start.live import show_live
from app.start.signature import show_signature
from app.widgets import frame
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.example.ids import find_example


def show_title(example: bool) -> None:
    """Draw the title with a sentence on the app, and the way into the example."""
    frame.heading(
        "Functional networks of a language model",
        "Record a model's neurons while it reads, find the networks that are active together, as "
        "in fMRI, and prune the model by choosing which of them to protect.",
    )
    st.subheader("A worked example", anchor=False)
    if not example:
        return
    st.markdown(
        "SmolLM2-135M has read five kinds of text. Its neurons are laid out as a cortex, one "
        "sheet per layer, so that neurons that are active together lie side by side."
    )
    st.button(
        "Open the example",
        type="primary",
        icon=":material/neurology:",
        on_click=open_example,
        args=(0,),
    )
    st.page_link(
        pages.path("learn"),
        label="New to this? Take the lesson",
        icon=":material/school:",
        help="Eleven short chapters on this example: predict, try, check.",
    )


example_ids = find_example(resources.workspace())
is_laid_out = example_ids is not None and has_cortex(
    resources.workspace(), example_ids.decomposition_id
)
if is_laid_out and example_ids is not None:
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        show_title(True)
    with right, frame.explaining():
        show_signature(example_ids.decomposition_id, on_open=open_example)
else:
    show_title(example_ids is not None)
live = st.container()
below.draw(example_ids, is_laid_out=is_laid_out)
# Last, so that the rest of the page does not wait where it must be read from the recording.
if is_laid_out and example_ids is not None:
    with live, frame.explaining():
        show_live(example_ids.decomposition_id)
