"""The progress of jobs: started, polled, stopped, and their results taken once."""

from collections.abc import Callable

import streamlit as st

from app.shell import resources, view_state
from app.shell.jobs import Job
from app.shell.tasks import Task
from app.shell.wording import duration, plain
from app.widgets.frame import error

_POLL_S = 0.8


def start(task: Task) -> None:
    """Submit a job and watch it."""
    function = task.job(resources.workspace(), resources.shelf())
    job = resources.jobs().submit(task.kind, function, inputs=task.inputs, title=task.title)
    view_state.change(job=job)


def job_of(*kinds: str) -> Job | None:
    """Return the job of these kinds that this view watches: its own, else one under way."""
    manager = resources.jobs()
    own_job = manager.job(view_state.view().job)
    if own_job is not None and own_job.kind in kinds:
        return own_job
    for job in manager.active():
        if job.kind in kinds:
            view_state.change(job=job.id)
            return job
    return None


def follow(*kinds: str, on_done: Callable[[Job], None]) -> Job | None:
    """Draw the progress of the page's job; when it has ended, take its result once."""
    job = job_of(*kinds)
    if job is None:
        return None
    if job.is_active:
        watch(job.id)
    elif job.state == "failed" and job.failure is not None:
        error(job.failure)
    elif job.state == "cancelled":
        st.info("Stopped. What was finished is kept.", icon=":material/stop_circle:")
    elif job.state == "done" and view_state.take_once(job.id, job.number):
        on_done(job)
        st.rerun()
    return job


def is_active(*kinds: str) -> bool:
    """Whether the page's job is queued or running."""
    job = job_of(*kinds)
    return job is not None and job.is_active


def watch(job_id: str) -> None:
    """Poll a job in a fragment of its own; the page reruns once when it has ended.

    Two places of a page can wait for one job, as for the model, and each has its button.
    """
    place = view_state.times_told(f"progress of {job_id}")
    st.fragment(_progress, run_every=_POLL_S)(job_id, place)


def _progress(job_id: str, place: int) -> None:
    job = resources.jobs().job(job_id)
    if job is not None and job.is_active:
        draw_progress(job, place=place)
    else:
        st.rerun()


def draw_progress(job: Job, *, place: int = 0) -> None:
    """Draw one job's progress with time left and a button to stop it.

    Parameters
    ----------
    place : int
        How often the page has drawn this job's progress before.
    """
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(job.title)}**", width="stretch")
            st.button(
                "Stop",
                icon=":material/stop:",
                key=f"stop-{job.id}-{place}",
                on_click=resources.jobs().cancel,
                args=(job.id,),
            )
        st.progress(job.progress.fraction if job.progress else 0.0)
        st.caption(_progress_text(job))


def _progress_text(job: Job) -> str:
    if job.state == "queued":
        return f"Waiting: number {job.queue_position} in the queue."
    progress = job.progress
    if progress is None:
        return f"Starting, {duration(job.seconds)} so far."
    sentences = [
        f"{progress.stage.capitalize()}: {progress.done:,} of {progress.total:,} {progress.unit}"
    ]
    if progress.seconds_left is not None and progress.done < progress.total:
        sentences.append(f"about {duration(progress.seconds_left)} left in this step")
    sentences.append(f"{duration(job.seconds)} so far")
    return " · ".join(sentences)
