"""Decompose: find the networks of a recording, and see how far to trust them."""

import streamlit as st

from app import pages
from app.figures import maps, networks
from app.recording import settings
from app.recording.recording_tasks import decompose
from app.shell import glossary, navigation, resources, session_state, view_state
from app.shell.artifact_words import describe
from app.shell.caches import atlas_maps, directions, trust
from app.shell.jobs.job import Job
from app.shell.wording import plain
from app.widgets import atlas_frame, frame, job_progress
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.atlas.membership import HIGH
from fnprune_core.decomposition.decomposition import convergence_note

TRUST = pages.path("trust")


def show_form() -> None:
    """Draw the settings and the button that starts."""
    recording = view_state.view().recording
    kept = resources.manifest("recordings", recording)["inputs"]
    most_networks = kept["most_networks"] if kept.get("keep") == "summary" else None
    ica_settings = settings.ica_settings(most_networks=most_networks)
    if most_networks is None:  # of a summary, halves of the documents cannot be compared
        offer_size()
    if not job_progress.is_active("decompose") and button("Decompose", "hub", kind="primary"):
        job_progress.run(decompose(recording=recording, settings=ica_settings))


def offer_size() -> None:
    """Offer the number of networks that halves of the documents suggest, if it was measured."""
    atlas = view_state.view().atlas
    if not atlas:
        return
    curve = trust.assessment(atlas).sizes
    suggested = None if curve is None else curve.suggested()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if curve is None or suggested is None:
            st.caption(
                "How many networks should you look for? Comparing halves of the documents "
                "suggests a number."
            )
        else:
            largest = ", the largest tried" if curve.still_rises else ""
            st.caption(f"Comparing halves of the documents suggests K = {suggested}{largest}.")
            button(f"Use {suggested}", does=session_state.remember, args=(settings.K, suggested))
        if st.button("See the curve" if curve else "Measure it on Trust", type="tertiary"):
            view_state.change(show="k")
            st.switch_page(TRUST)


def take_atlas(job: Job) -> None:
    """Select the atlas that was found."""
    navigation.open_atlas(job.result, recording=job.inputs["recording"])
    session_state.notify("Networks found")


def show_result() -> None:
    """Draw agreement of runs and variance of the view's atlas."""
    view = view_state.view()
    atlas = resources.atlas(view.atlas)
    decomposition = atlas.decomposition
    st.subheader(f"{atlas.n_networks} networks", anchor=False)
    note = convergence_note(decomposition)
    if note:
        st.warning(plain(note), icon=":material/warning:")
    table = trust.network_table(view.atlas)
    parcels = atlas_maps.parcels(view.atlas, atlas_frame.units_shown(atlas))
    with st.container(horizontal=True):
        st.metric(
            "Variance explained",
            f"{100 * decomposition.variance_explained:.0f} %",
            help="Share of the signals' variance that all networks explain together.",
        )
        if len(decomposition.converged):
            st.metric(
                "Runs converged",
                f"{int(decomposition.converged.sum())} of {len(decomposition.converged)}",
            )
        if table["run_agreement"].notna().any():
            st.metric(
                "Median agreement of runs",
                f"{table['run_agreement'].median():.2f}",
                help=glossary.tip("run_agreement"),
            )
        halves = trust.assessment(view.atlas).halves
        if halves is not None:
            st.metric(
                "Come back in halves of the documents",
                f"{int((halves.mean >= HIGH).sum())} of {atlas.n_networks}",
                help=f"Split-half r of {HIGH} or more. Runs read the same signals, and so agree "
                "more than halves do.",
            )
        st.metric(
            "Units in a network",
            f"{100 * (parcels >= 0).mean():.0f} %",
            help=glossary.tip("threshold" if atlas.known_members is None else "members"),
        )
    st.caption(directions.explained(view.atlas))
    colours = frame.palette()
    left, right = st.columns(2, gap="large")
    with left:
        if table["run_agreement"].notna().any():
            draw_picture(
                networks.agreement_scatter(table, selected=None, palette=colours),
                key="agreement",
            )
        else:
            st.info(
                "Agreement needs several runs; this atlas was made with one.",
                icon=":material/info:",
            )
    with right:
        draw_picture(networks.variance_bars(table, palette=colours), key="variance")
    draw_picture(
        maps.parcellation_map(parcels, n_networks=atlas.n_networks, palette=colours),
        key="parcels",
    )
    if st.button("Look at the networks", type="primary", icon=":material/neurology:"):
        st.switch_page(frame.ATLAS)


def offer_others() -> None:
    """List other atlases of this recording."""
    view = view_state.view()
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
            if st.button(plain(describe(entry)), key=f"open-{entry.id}", icon=":material/hub:"):
                navigation.open_atlas(entry.id, recording=view.recording)
                st.rerun()


frame.heading(
    "Decompose",
    "Group ICA finds sets of units whose activity rises and falls together over tokens: the "
    "functional networks.",
    terms=("group_ica", "component", "mask"),
)
if not view_state.view().recording:
    frame.empty(
        "No recording yet",
        "Networks are found in a recording of the model's units.",
        button="Record",
        page=frame.RECORD,
        icon="graphic_eq",
    )
else:
    with st.container(border=True):
        with frame.explaining():
            show_form()
        job_progress.follow("decompose", on_done=take_atlas)
    with frame.explaining():
        offer_others()
        if view_state.view().atlas:
            show_result()
