"""Decompose: find the networks of a recording, and see how far to trust them."""

import streamlit as st

from app import components, figures, resources, state, tasks
from app.earlier import describe
from app.jobs import Job
from fnprune_core import workflows
from fnprune_core.decomposition import GroupICA

LABELS = {
    "model": "Whole model",
    "layer": "Each layer by itself",
    "fastica": "FastICA",
    "picard": "Picard",
    "cube": "cube",
    "logcosh": "log cosh",
    "recording": "Whole recording",
    "session": "Each session",
}


def choice(label: str, options: list[str], *, key: str, tip: str | None = None) -> str:
    """Ask for one of few options."""
    return st.segmented_control(
        label,
        options,
        format_func=LABELS.__getitem__,
        default=options[0],
        required=True,
        key=key,
        help=tip,
        persist_state="session",
    )


def choose_settings() -> GroupICA:
    """Ask for K, scope and algorithm."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = st.number_input(
            "Networks (K)",
            2,
            1024,
            64,
            key="ica-k",
            width=150,
            persist_state="session",
            help="More tokens bear more networks; 64 suits 16,000 tokens.",
        )
        scope = choice("Scope", ["model", "layer"], key="ica-scope")
        algorithm = choice("Algorithm", ["fastica", "picard"], key="ica-algorithm")
        runs = st.number_input(
            "Runs",
            1,
            50,
            5,
            key="ica-runs",
            width=130,
            help="From different random starts; how well they agree is the stability.",
        )
    with st.expander("More settings", icon=":material/tune:"):
        fun = choice("Contrast", ["cube", "logcosh"], key="ica-fun")
        normalize = choice(
            "Scale units over",
            ["recording", "session"],
            key="ica-normalize",
            tip="Over each session, as is usual for fMRI, differences between domains vanish.",
        )
        max_iter = st.number_input("Iterations at most", 10, 5000, 400, key="ica-iterations")
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="ica-seed")
    return GroupICA(
        n_components=int(k),
        scope=scope,
        algorithm=algorithm,
        fun=fun,
        n_runs=int(runs),
        normalize=normalize,
        max_iter=int(max_iter),
        seed=int(seed),
    )


def take_atlas(job: Job) -> None:
    """Look at what was found."""
    state.open_atlas(job.result, recording=job.inputs["recording"])
    state.notify("Networks found")


def show_result() -> None:
    """Draw stability and variance of the view's atlas."""
    view = state.view()
    atlas = resources.atlas(view.atlas)
    found = atlas.decomposition
    st.subheader(f"{atlas.n_networks} networks", anchor=False)
    note = workflows.convergence_note(found)
    if note:
        st.warning(note, icon=":material/warning:")
    table = resources.network_table(view.atlas)
    with st.container(horizontal=True):
        st.metric("Variance explained", f"{found.variance_explained:.0%}")
        st.metric("Runs converged", f"{int(found.converged.sum())} of {len(found.converged)}")
        if table["stability"].notna().any():
            st.metric("Median stability", f"{table['stability'].median():.2f}")
        st.metric(
            "Units in a network", f"{(resources.parcels(view.atlas, view.z) >= 0).mean():.0%}"
        )
    colours = components.palette()
    left, right = st.columns(2, gap="large")
    with left:
        if table["stability"].notna().any():
            components.picture(
                figures.stability_scatter(table, selected=None, palette=colours), key="stability"
            )
        else:
            st.info("One run has no stability: ask for several.", icon=":material/info:")
    with right:
        components.picture(figures.variance_bars(table, palette=colours), key="variance")
    if st.button("Look at the networks", type="primary", icon=":material/neurology:"):
        st.switch_page(components.ATLAS)


def offer_others() -> None:
    """List other atlases of this recording."""
    view = state.view()
    others = [
        entry
        for entry in resources.workspace().entries("decompositions")
        if entry.manifest["recording_id"] == view.recording and entry.id != view.atlas
    ]
    if not others:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Already found in this recording:")
        for entry in others[:6]:
            if st.button(describe(entry), key=f"open-{entry.id}", icon=":material/hub:"):
                state.open_atlas(entry.id, recording=view.recording)
                st.rerun()


components.heading(
    "Decompose",
    "Group ICA finds sets of units whose activity rises and falls together over tokens: the "
    "functional networks.",
)
if not state.view().recording:
    components.empty(
        "No recording yet",
        "Networks are found in a recording of the model's units.",
        button="Record",
        page=components.RECORD,
        icon="graphic_eq",
    )
else:
    with st.container(border=True), components.explaining():
        if not components.is_active("decompose"):
            settings = choose_settings()
            if st.button("Decompose", type="primary", icon=":material/hub:"):
                recording = state.view().recording
                components.start(
                    tasks.decompose(resources.workspace(), recording=recording, settings=settings)
                )
                st.rerun()
        components.follow("decompose", on_done=take_atlas)
    with components.explaining():
        offer_others()
        if state.view().atlas:
            show_result()
