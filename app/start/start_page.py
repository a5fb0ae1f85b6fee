"""Start page: the example at once, a model, and earlier work.

What it shows of the example is kept: nothing that takes seconds to import is needed then.
"""

import streamlit as st

from app import pages
from app.shell import resources
from app.shell.images import kept
from app.start import below
from app.start.example_button import open_example
from app.start.live import show_live
from app.start.signature import show_signature
from app.widgets import frame
from app.widgets.controls import button
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.example.ids import ExampleIds, find_example


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
    button("Open the example", "neurology", kind="primary", does=open_example, args=(0,))
    st.page_link(
        pages.path("learn"),
        label="New to this? Take the lesson",
        icon=":material/school:",
        help="Eleven short chapters on this example: predict, try, check.",
    )


def show_pictures(example: ExampleIds) -> None:
    """Draw the page with the example's pictures; those last that must be found first."""
    atlas_id = example.decomposition_id
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        show_title(True)
    signature_stands = kept.has_facts(atlas_id, "signature")
    if signature_stands:
        with right, frame.explaining():
            show_signature(atlas_id, on_open=open_example)
    live = st.container()
    below.draw(example, is_laid_out=True)
    if not signature_stands:
        with right, frame.explaining():
            show_signature(atlas_id, on_open=open_example)
    with live, frame.explaining():
        show_live(atlas_id)


example_ids = find_example(resources.workspace())
if example_ids and has_cortex(resources.workspace(), example_ids.decomposition_id):
    show_pictures(example_ids)
else:
    show_title(example_ids is not None)
    below.draw(example_ids, is_laid_out=False)
