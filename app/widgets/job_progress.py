"""The progress of jobs: started, polled, stopped, and their results taken once."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.shell import resources, session_state, view_state
from app.shell.jobs.job import Job, Wait, describe_error
from app.shell.jobs.limits import TooManyJobsError
from app.shell.jobs.tasks import Task
from app.shell.visit import visit_id
from app.shell.wording import count, duration, plain
from app.widgets.controls import button
from app.widgets.frame import error

_POLL_S = 0.8
#: What takes a job's result, or a notice that it is there.
Done = Callable[[Job], None] | str


def start(task: Task) -> None:
    """Submit a job of this visit and watch it; a refusal is told on the page's next run."""
    function = task.job(resources.workspace(), resources.shelf(), reach=resources.reach())
    try:
        job = resources.jobs().submit(
            task.kind, function, inputs=task.inputs, title=task.title, owner=visit_id()
        )
    except TooManyJobsError as refusal:
        session_state.refuse(describe_error(refusal))
    else:
        view_state.change(job=job)


def job_of(*kinds: str) -> Job | None:
    """Return the job of these kinds that this view watches: its own, else one of its visit.

    Another visit's job is never returned, whatever a link names.
    """
    manager, visit = resources.jobs(), visit_id()
    own_job = manager.job(view_state.view().job)
    if own_job is not None and own_job.kind in kinds and visit in own_job.owners:
        return own_job
    job = manager.waiting_for(visit, *kinds)
    if job is not None:
        view_state.change(job=job.id)
    return job


def run(task: Task) -> None:
    """Start a job, and draw the page again with its progress."""
    start(task)
    st.rerun()


def offer(
    job_kind: str,
    label: str,
    icon: str,
    task: Callable[[], Task],
    *,
    done: Done = "",
    before: str = "",
    **options: Any,
) -> Job | None:
    """Draw the progress of a kind of job, or the button that starts one; return the last one.

    Parameters
    ----------
    task : callable
        Returns what the button starts.
    done : str or callable, optional
        As in `follow`.
    before : str, optional
        What stands above the button.
    **options
        Of the button.
    """
    job = follow(job_kind, on_done=done)
    if not is_active(job_kind):
        if before:
            st.markdown(before)
        if button(label, icon, **options):
            run(task())
    return job


def follow(*kinds: str, on_done: Done = "") -> Job | None:
    """Draw the progress of the page's job; when it has ended, take its result once."""
    job = job_of(*kinds)
    if job is None:
        return None
    if job.is_active:
        watch(job.id)
        return job
    resources.jobs().see(job.id, visit_id())
    if job.state == "failed" and job.failure is not None:
        error(job.failure)
    elif job.state == "cancelled":
        st.info("Stopped. What was finished is kept.", icon=":material/stop_circle:")
    elif job.state == "done" and session_state.take_once(job.id, job.number):
        if callable(on_done):
            on_done(job)
        elif on_done:
            session_state.notify(on_done)
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
    place = session_state.times_told(f"progress of {job_id}")
    st.fragment(_progress, run_every=_POLL_S)(job_id, place)


def running(job_id: str) -> Job | None:
    """Return a job of this visit that runs or waits, else None."""
    job = resources.jobs().job(job_id)
    return job if job is not None and job.is_active and visit_id() in job.owners else None


def _progress(job_id: str, place: int) -> None:
    job = running(job_id)
    if job is not None:
        draw_progress(job, place=place)
    else:
        st.rerun()


def live(job_id: str, event: type[Any], draw: Callable[[Any], None]) -> None:
    """Draw what a running job has found so far, again every two seconds.

    Parameters
    ----------
    event : type
        Of the job's events that hold it, as `found`.
    """
    st.fragment(_live, run_every=2.0)(job_id, event, draw)


def _live(job_id: str, event: type[Any], draw: Callable[[Any], None]) -> None:
    job = resources.jobs().job(job_id)
    if job is None or not job.is_active:
        st.rerun()
    found = [each.found for each in job.events if isinstance(each, event)]
    if found:
        draw(found[-1])


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
            button("Stop", "stop", key=f"stop-{job.id}-{place}", does=_stop, args=(job.id,))
        st.progress(job.progress.fraction if job.progress else 0.0)
        st.caption(_progress_text(job))


def _stop(job_id: str) -> None:
    """Stop a job for this visit; it goes on for others that asked for the same."""
    job = resources.jobs().job(job_id)
    is_shared = job is not None and len(job.owners) > 1
    if not resources.jobs().leave(job_id, visit_id()) and is_shared:
        session_state.notify("Stopped here. It goes on for another visitor who asked for the same")


def _progress_text(job: Job) -> str:
    if job.state == "queued":
        return f"Waiting: {before_text(job.wait)} before yours."
    progress = job.progress
    if progress is None:
        return f"Starting, {duration(job.seconds)} so far."
    sentences = [
        f"{progress.stage.capitalize()}: {progress.done:,} of {progress.total:,} {progress.unit}"
    ]
    if progress.seconds_left is not None and progress.fraction < 1:
        of_what = "in this step" if progress.overall is None else "in all"
        sentences.append(f"about {duration(progress.seconds_left)} left {of_what}")
    sentences.append(f"{duration(job.seconds)} so far")
    return " · ".join(sentences)


def before_text(wait: Wait) -> str:
    """Return how many jobs are before one, and how long they take where that can be told."""
    jobs = count(wait.n_before, "job")
    if wait.seconds is None or not wait.n_before:
        return jobs
    return f"{jobs}, about {duration(wait.seconds)},"


def queue_note() -> None:
    """Draw what a job that is started now waits for; nothing where it starts at once."""
    wait = resources.jobs().wait_for_lane()
    if wait.n_before:
        st.caption(f":material/hourglass_empty: {before_text(wait)} before yours.")


def own_jobs(*shown_kinds: str) -> None:
    """Draw the jobs of this visit that run or wait, found again in any tab.

    Parameters
    ----------
    shown_kinds : str
        Kinds that the page shows elsewhere.
    """
    if _active_jobs(shown_kinds):
        st.subheader("Your jobs", anchor=False)
        st.fragment(_own_jobs, run_every=_POLL_S)(shown_kinds)


def _active_jobs(shown_kinds: tuple[str, ...]) -> list[Job]:
    owned = resources.jobs().owned(visit_id())
    return [job for job in reversed(owned) if job.is_active and job.kind not in shown_kinds]


def _own_jobs(shown_kinds: tuple[str, ...]) -> None:
    active = _active_jobs(shown_kinds)
    for job in active:
        draw_progress(job)
    if not active:
        st.rerun()
