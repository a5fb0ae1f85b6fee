"""Lesions page: the loss that silencing a network causes, text by text."""

import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions import form, matrix, patients
from app.experiments.lesions.lesion_tasks import KIND
from app.shell import resources, session_state, view_state, wording
from app.shell.jobs.job import Job, describe_error
from app.widgets import frame, job_progress, moved_networks
from app.widgets.controls import choose
from fnprune_core.atlas.network_atlas import NetworkAtlas

PARTS = {"matrix": "Networks × domains", "patients": "Virtual patients"}


def choose_part() -> str:
    """Draw the choice between the parts of the page; return the chosen one."""
    viewed_part = view_state.view().part
    current = viewed_part if viewed_part in PARTS else next(iter(PARTS))
    chosen = choose("Part", PARTS, key="lesions-part", default=current)
    if chosen != current:
        view_state.change(part=chosen, show="")
    return chosen


def current(atlas: NetworkAtlas) -> str:
    """Return the selected matrix: the view's, else the newest."""
    ids = cache.matrices(atlas.id)
    viewed_id = view_state.view().study
    return viewed_id if viewed_id in ids else next(iter(ids), "")


def select_study(job: Job) -> None:
    """Select the study that a job made, if it is a matrix."""
    if cache.is_matrix(cache.study(job.result)):
        view_state.change(study=job.result)


def choose_study(atlas: NetworkAtlas, id: str) -> None:
    """Draw the choice among several matrices."""
    ids = cache.matrices(atlas.id)
    if len(ids) < 2:
        return
    key = f"lesions-study-{id}"
    st.selectbox(
        "Study", ids, index=ids.index(id), format_func=_label, key=key,
        on_change=lambda: view_state.change(study=session_state.widget(key)),
    )  # fmt: skip


def _label(id: str) -> str:
    study = cache.study(id)
    s = study.facts.settings
    return (
        f"{len(study.lesions)} lesions × {wording.count(len(study.columns), 'column')}, "
        f"{s.n_random} random each, "
        f"{s.units} · {id[:6]}"
    )


def show_matrix(atlas: NetworkAtlas) -> None:
    """Draw a study under way, or the chosen matrix, and the form of another one."""
    job = job_progress.job_of(KIND)
    if job is not None and job.is_active:
        matrix.live(job, atlas)
        return
    job_progress.follow(KIND, on_done=select_study)
    if job is not None and job.state == "cancelled":
        st.caption("The same study, run again, goes on where this one stopped.")
    id = current(atlas)
    if id:
        if id != view_state.view().study:
            view_state.change(study=id)
        choose_study(atlas, id)
        with frame.explaining():
            matrix.show(cache.study(id), atlas)
    with st.expander("Another study" if id else "A study", expanded=not id, icon=":material/add:"):
        form.draw_form(atlas)


frame.heading(
    "Lesions",
    "Silence a network, read texts, and see what the model can no longer do: against the healthy "
    "model, and against random lesions that match.",
    terms=("lesion", "lesion_control"),
)
with frame.explaining():
    if not view_state.view().atlas:
        frame.no_networks()
    else:
        atlas = resources.atlas(view_state.view().atlas)
        moved = cache.moved_study(atlas.id)
        if moved is not None:
            moved_networks.offer(atlas.id, moved, key="lesions")
        for error in cache.damaged_studies(atlas.id):
            frame.error(describe_error(error))
        if choose_part() == "matrix":
            show_matrix(atlas)
        else:
            patients.show(atlas, current(atlas))
