"""Start: what this is, the example at once, a model, and earlier work."""

import streamlit as st

from app import components, earlier, resources, state, tasks
from app.gallery import gallery
from app.jobs import Job
from app.signature import show_signature
from fnprune_core import workflows


def show_example() -> None:
    """Offer the example: a real atlas at once, or the button that builds it."""
    found = workflows.find_example(resources.workspace())
    if found is None:
        components.follow("example", on_done=lambda job: state.notify("The example is ready"))
        if components.job_of("example") is None or not components.is_active("example"):
            st.markdown(
                "The embedded model reads texts that every Python has, and its networks are "
                "found. This is done once and takes about two minutes."
            )
            if st.button("Build the example", type="primary", icon=":material/play_arrow:"):
                components.start(tasks.example(resources.workspace()))
                st.rerun()
        components.steps()
        return
    with components.explaining():
        st.caption(
            "Each picture is one functional network of SmolLM2-135M, seen from the front through "
            "the cortex of the model: layers from the first (bottom) to the last, units that are "
            "active together side by side. Warm and cold units are active together, with opposite "
            "signs."
        )
        gallery(
            components.tiles(found.decomposition_id),
            selected=None,
            key="start-gallery",
            name="Networks of the example",
            on_pick=open_example,
        )


def open_example(network: int) -> None:
    """Look at a network of the example."""
    found = workflows.find_example(resources.workspace())
    if found is not None:
        state.open_atlas(found.decomposition_id, recording=found.recording_id)
        state.change(model="embedded", network=network)
        st.switch_page(components.ATLAS)


def show_model() -> None:
    """Choose a model, load it, see its anatomy."""
    view = state.view()
    own = "Your own"
    kind = st.segmented_control(
        "Which model",
        ["Embedded", own],
        default="Embedded" if view.model == "embedded" else own,
        key="start-model",
        label_visibility="collapsed",
        required=True,
    )
    source = "embedded"
    if kind == own:
        source = st.text_input(
            "Hugging Face id, folder or GGUF file",
            value="" if view.model == "embedded" else view.model,
            placeholder="Qwen/Qwen2.5-0.5B, or a path on this machine",
            key="start-own-model",
        ).strip()
    else:
        st.markdown("SmolLM2-135M-Instruct comes with fnprune and needs no network.")
    anatomy = resources.anatomy(source) if source else None
    is_chosen = view.model == source and anatomy is not None
    components.follow("load", on_done=take_model)
    if not is_chosen and not components.is_active("load"):
        label = "Use this model" if anatomy else "Load"
        if st.button(label, icon=":material/download:", disabled=not source):
            components.start(tasks.load(resources.shelf(), source))
            st.rerun()
    if anatomy is not None and is_chosen:
        components.anatomy_table(anatomy)


def take_model(job: Job) -> None:
    """Make a loaded model the view's; another model's recording is put away."""
    if job.inputs["model"] != state.view().model:
        state.open_recording("")
        state.change(model=job.inputs["model"])
    state.notify(f"{job.result.name} is loaded")


def show_title(example: bool) -> None:
    """Draw what this is, and the way into the example."""
    components.heading(
        "Functional networks of a language model",
        "Record a model's neurons while it reads, find the networks that are active together, as "
        "in fMRI, and prune the model by choosing which of them to preserve.",
    )
    st.subheader("A worked example", anchor=False)
    if not example:
        return
    st.markdown(
        "SmolLM2-135M has read five kinds of text. Its neurons are laid out as a cortex, one "
        "sheet a layer, so that neurons that are active together lie side by side."
    )
    st.button(
        "Open the example",
        type="primary",
        icon=":material/neurology:",
        on_click=open_example,
        args=(0,),
    )
    st.page_link(
        "views/learn.py",
        label="New to this? Take the lesson",
        icon=":material/school:",
        help="Eleven short chapters on this example: predict, try, check.",
    )


found = workflows.find_example(resources.workspace())
has_cortex = found is not None and workflows.has_cortex(
    resources.workspace(), found.decomposition_id
)
if has_cortex:
    left, signature = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        show_title(True)
else:
    show_title(found is not None)
left, right = st.columns([5, 2], gap="large")
with left:
    show_example()
with right:
    st.subheader("Model", anchor=False)
    with components.explaining():
        show_model()
with components.explaining():
    earlier.earlier_work()
# Last, so that the rest of the page does not wait for it.
if has_cortex and found is not None:
    with signature, components.explaining():
        show_signature(found.decomposition_id, on_open=open_example)
