"""JobManager, driven by events and a clock of our own; nothing sleeps."""

import logging
import threading
from collections.abc import Callable

import pytest

from app.shell.jobs import JobManager, Report, job_id
from fnprune_core.errors import FnpruneError
from fnprune_core.progress import CancelToken, ProgressEvent

PATIENCE_S = 10.0


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A job function that says when it runs, and waits to be let go."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()

    def __call__(self, report: Report, cancel: CancelToken) -> str:
        self.running.set()
        assert self.go.wait(PATIENCE_S)
        cancel.raise_if_cancelled()
        return "through"


@pytest.fixture
def gate() -> Gate:
    return Gate()


def returns(value: object) -> Callable[[Report, CancelToken], object]:
    return lambda report, cancel: value


def test_done_job_keeps_its_result_and_events() -> None:
    manager = JobManager()

    def work(report: Report, cancel: CancelToken) -> str:
        report({"label": "dense"})
        report(ProgressEvent(stage="read", done=1, total=2, unit="windows"))
        return "recording-id"

    job = manager.wait(manager.submit("record", work, inputs={"x": 1}), timeout=PATIENCE_S)
    assert job is not None
    assert (job.state, job.result, job.events) == ("done", "recording-id", ({"label": "dense"},))
    assert job.progress is not None
    assert job.progress.fraction == 0.5


def test_users_mistake_becomes_message_and_hint() -> None:
    def work(report: Report, cancel: CancelToken) -> None:
        raise FnpruneError("The text is empty.", hint="Choose another.")

    manager = JobManager()
    job = manager.wait(manager.submit("record", work, inputs={}), timeout=PATIENCE_S)
    assert job is not None
    assert job.state == "failed"
    assert job.failure is not None
    assert (job.failure.message, job.failure.hint) == ("The text is empty.", "Choose another.")
    assert job.failure.reference == ""


def test_bug_is_logged_under_the_reference_that_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    def work(report: Report, cancel: CancelToken) -> None:
        raise ZeroDivisionError("secret detail")

    manager = JobManager()
    with caplog.at_level(logging.ERROR):
        job = manager.wait(manager.submit("record", work, inputs={}), timeout=PATIENCE_S)
    assert job is not None
    assert job.failure is not None
    assert job.failure.reference in caplog.text
    assert "secret detail" in caplog.text
    assert "secret detail" not in job.failure.message + job.failure.hint


def test_same_inputs_join_the_running_job(gate: Gate) -> None:
    manager = JobManager()
    first = manager.submit("record", gate, inputs={"text": "a", "n": 1})
    assert gate.running.wait(PATIENCE_S)
    second = manager.submit("record", returns("never run"), inputs={"n": 1, "text": "a"})
    assert first == second == job_id("record", {"text": "a", "n": 1})
    gate.go.set()
    job = manager.wait(first, timeout=PATIENCE_S)
    assert job is not None
    assert job.result == "through"


def test_one_lane_runs_one_job_at_a_time_in_order(gate: Gate) -> None:
    manager = JobManager()
    order: list[str] = []

    def then(name: str) -> Callable[[Report, CancelToken], None]:
        return lambda report, cancel: order.append(name)

    manager.submit("record", gate, inputs={})
    assert gate.running.wait(PATIENCE_S)
    ids = [manager.submit("decompose", then(name), inputs={"name": name}) for name in "abc"]
    waiting = [manager.job(identity) for identity in ids]
    assert [job.queue_position for job in waiting if job is not None] == [1, 2, 3]
    assert order == []
    gate.go.set()
    manager.wait(ids[-1], timeout=PATIENCE_S)
    assert order == ["a", "b", "c"]


def test_lanes_do_not_wait_for_each_other(gate: Gate) -> None:
    manager = JobManager()
    manager.submit("record", gate, inputs={}, lane="one model")
    assert gate.running.wait(PATIENCE_S)
    other = manager.submit("record", returns(1), inputs={"n": 2}, lane="another model")
    job = manager.wait(other, timeout=PATIENCE_S)
    assert job is not None
    assert job.state == "done"
    gate.go.set()


def test_running_job_is_cancelled_at_its_next_check(gate: Gate) -> None:
    """Cancelled is not failed: nothing is wrong, and there is nothing to explain."""
    manager = JobManager()
    identity = manager.submit("record", gate, inputs={})
    assert gate.running.wait(PATIENCE_S)
    manager.cancel(identity)
    gate.go.set()
    job = manager.wait(identity, timeout=PATIENCE_S)
    assert job is not None
    assert (job.state, job.failure) == ("cancelled", None)


def test_queued_job_is_cancelled_at_once_and_never_runs(gate: Gate) -> None:
    manager = JobManager()
    ran = threading.Event()
    first = manager.submit("record", gate, inputs={})
    assert gate.running.wait(PATIENCE_S)
    second = manager.submit("record", lambda report, cancel: ran.set(), inputs={"n": 2})
    manager.cancel(second)
    job = manager.job(second)
    assert job is not None
    assert job.state == "cancelled"
    gate.go.set()
    manager.wait(first, timeout=PATIENCE_S)
    last = manager.submit("record", returns(None), inputs={"n": 3})
    manager.wait(last, timeout=PATIENCE_S)
    assert not ran.is_set()


def test_asking_again_while_it_stops_runs_it_anew(gate: Gate) -> None:
    """Joining a job that is stopping would answer a new request with 'cancelled'."""
    manager = JobManager()
    identity = manager.submit("record", gate, inputs={})
    assert gate.running.wait(PATIENCE_S)
    manager.cancel(identity)
    assert manager.submit("record", returns("anew"), inputs={}) == identity
    gate.go.set()
    job = manager.wait(identity, timeout=PATIENCE_S)
    assert job is not None
    assert (job.state, job.result) == ("done", "anew")


def test_failed_job_can_be_tried_again() -> None:
    manager = JobManager()

    def fail(report: Report, cancel: CancelToken) -> None:
        raise FnpruneError("no disk")

    identity = manager.submit("record", fail, inputs={})
    manager.wait(identity, timeout=PATIENCE_S)
    assert manager.submit("record", returns("now"), inputs={}) == identity
    job = manager.wait(identity, timeout=PATIENCE_S)
    assert job is not None
    assert (job.state, job.result, job.failure) == ("done", "now", None)


def test_time_left_comes_from_the_rate_of_the_present_stage() -> None:
    clock = Clock()
    manager = JobManager(clock=clock)
    seen: list[float | None] = []

    def work(report: Report, cancel: CancelToken) -> None:
        for now, stage, done in ((0.0, "load", 0), (100.0, "read", 2), (110.0, "read", 7)):
            clock.now = now
            report(ProgressEvent(stage=stage, done=done, total=20, unit="windows"))
            job = manager.job(job_id("record", {}))
            assert job is not None
            assert job.progress is not None
            seen.append(job.progress.seconds_left)

    job = manager.wait(manager.submit("record", work, inputs={}), timeout=PATIENCE_S)
    assert job is not None
    assert job.state == "done", job.failure
    # 5 windows took 10 s and 13 are left. The stage before does not count, nor do the first 2
    # windows, which a resumed recording finds done.
    assert seen == [None, None, 26.0]


def test_unknown_job_is_none_and_cancelling_it_does_nothing() -> None:
    manager = JobManager()
    manager.cancel("0123")
    assert manager.job("0123") is None
    assert manager.job(None) is None


def test_only_the_last_finished_jobs_are_remembered() -> None:
    manager = JobManager()
    for number in range(60):
        manager.wait(manager.submit("record", returns(1), inputs={"n": number}), timeout=PATIENCE_S)
    assert len(manager.jobs()) <= 51
    assert manager.jobs()[0].inputs == {"n": 59}
