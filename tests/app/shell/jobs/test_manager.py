"""JobManager, driven by events and a clock of our own; nothing sleeps."""

import gc
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable

import pytest

from app.shell.jobs.job import Job, Wait
from app.shell.jobs.limits import JobLimits, TooManyJobsError
from app.shell.jobs.manager import JobManager, job_id
from app.shell.jobs.record import Report
from fnprune_core.errors import FnpruneError, SettingsError
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


def ended(manager: JobManager, identity: str) -> Job:
    """Wait for a job's end."""
    return manager.wait(identity, timeout=PATIENCE_S)


def ran(work: Callable[[Report, CancelToken], object]) -> Job:
    """Run a function as the only job of a manager."""
    manager = JobManager()
    return ended(manager, manager.submit("record", work, inputs={}))


@pytest.fixture
def manager() -> JobManager:
    return JobManager()


@pytest.fixture
def running(manager: JobManager, gate: Gate) -> str:
    """A job of a visit ``a`` that runs until `gate.go` is set."""
    identity = manager.submit("prune", gate, inputs={}, owner="a")
    assert gate.running.wait(PATIENCE_S)
    return identity


def test_done_job_keeps_its_result_and_events() -> None:
    def work(report: Report, cancel: CancelToken) -> str:
        report({"label": "dense"})
        report(ProgressEvent(stage="read", done=1, total=2, unit="windows"))
        return "recording-id"

    job = ran(work)
    assert (job.state, job.result, job.events) == ("done", "recording-id", ({"label": "dense"},))
    assert job.progress.fraction == 0.5


def test_users_mistake_becomes_message_and_hint() -> None:
    def work(report: Report, cancel: CancelToken) -> None:
        raise FnpruneError("The text is empty.", hint="Choose another.")

    job = ran(work)
    assert job.state == "failed"
    assert (job.failure.message, job.failure.hint) == ("The text is empty.", "Choose another.")
    assert job.failure.reference == ""


def test_bug_is_logged_under_the_reference_that_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    def work(report: Report, cancel: CancelToken) -> None:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR):
        job = ran(work)
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
    assert ended(manager, first).result == "through"


def test_one_lane_runs_one_job_at_a_time_in_order(manager, gate, running) -> None:
    order: list[str] = []

    def then(name: str) -> Callable[[Report, CancelToken], None]:
        return lambda report, cancel: order.append(name)

    ids = [manager.submit("decompose", then(name), inputs={"name": name}) for name in "abc"]
    waiting = [manager.job(identity) for identity in ids]
    assert [job.wait.n_before for job in waiting if job is not None] == [1, 2, 3]
    assert order == []
    gate.go.set()
    ended(manager, ids[-1])
    assert order == ["a", "b", "c"]


def test_lanes_do_not_wait_for_each_other(manager, gate, running) -> None:
    other = manager.submit("record", returns(1), inputs={"n": 2}, lane="another model")
    assert ended(manager, other).state == "done"
    gate.go.set()


def test_running_job_is_cancelled_at_its_next_check(manager, gate, running) -> None:
    """Cancelled is not failed: nothing is wrong, and there is nothing to explain."""
    manager.leave(running, "a")
    gate.go.set()
    job = ended(manager, running)
    assert (job.state, job.failure) == ("cancelled", None)


def test_queued_job_is_cancelled_at_once_and_never_runs(manager, gate, running) -> None:
    has_run = threading.Event()
    second = manager.submit("record", lambda report, cancel: has_run.set(), inputs={"n": 2})
    manager.leave(second, "")
    assert manager.job(second).state == "cancelled"
    gate.go.set()
    ended(manager, running)
    ended(manager, manager.submit("record", returns(None), inputs={"n": 3}))
    assert not has_run.is_set()


def test_asking_again_while_it_stops_runs_it_anew(manager, gate, running) -> None:
    """Joining a job that is stopping would answer a new request with 'cancelled'."""
    manager.leave(running, "a")
    assert manager.submit("prune", returns("anew"), inputs={}, owner="a") == running
    gate.go.set()
    job = ended(manager, running)
    assert (job.state, job.result) == ("done", "anew")


def test_failed_job_can_be_tried_again(manager) -> None:
    def fail(report: Report, cancel: CancelToken) -> None:
        raise FnpruneError("no disk")

    identity = manager.submit("record", fail, inputs={})
    ended(manager, identity)
    assert manager.submit("record", returns("now"), inputs={}) == identity
    job = ended(manager, identity)
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
            seen.append(job.progress.seconds_left)

    job = manager.wait(manager.submit("record", work, inputs={}), timeout=PATIENCE_S)
    assert job.state == "done", job.failure
    # 5 windows took 10 s and 13 are left. The stage before does not count, nor do the first 2
    # windows, which a resumed recording finds done.
    assert seen == [None, None, 26.0]


def test_unknown_job_is_none_and_cancelling_it_does_nothing(manager) -> None:
    manager.leave("0123", "")
    assert manager.job("0123") is None
    assert manager.job(None) is None


def test_only_the_last_finished_jobs_are_remembered(manager) -> None:
    for number in range(60):
        ended(manager, manager.submit("record", returns(1), inputs={"n": number}))
    assert len(manager.jobs()) <= 51
    assert manager.jobs()[0].inputs == {"n": 59}


# Visits that share a server


def test_equal_requests_share_one_run_that_stops_when_its_last_owner_stops_it(
    manager, gate, running
) -> None:
    assert manager.submit("prune", returns("never run"), inputs={}, owner="b") == running
    assert manager.job(running).owners == {"a", "b"}
    assert not manager.leave(running, "stranger")
    assert not manager.leave(running, "a")
    gone_on = manager.job(running)
    assert (gone_on.is_active, gone_on.owners) == (True, {"b"})
    assert manager.leave(running, "b")
    gate.go.set()
    assert ended(manager, running).state == "cancelled"


def test_a_visit_is_led_to_its_own_jobs_alone_and_to_an_end_that_it_missed_once(
    manager, gate, running
) -> None:
    assert manager.waiting_for("b", "prune") is None
    assert manager.waiting_for("a", "load") is None
    assert manager.waiting_for("a", "prune").id == running
    gate.go.set()
    ended(manager, running)
    missed = manager.waiting_for("a", "prune")
    assert (missed.id, missed.state) == (running, "done")
    assert manager.waiting_for("b", "prune") is None
    manager.see(running, "a")
    assert manager.waiting_for("a", "prune") is None


def test_those_who_wait_see_how_many_are_before_them_and_how_long_these_take() -> None:
    clock = Clock()
    manager = JobManager(clock=clock)

    def takes_a_minute(report: Report, cancel: CancelToken) -> None:
        clock.now += 60.0

    manager.wait(manager.submit("prune", takes_a_minute, inputs={}), timeout=PATIENCE_S)
    running, waiting, other = Gate(), Gate(), Gate()
    manager.submit("prune", running, inputs={"n": 1}, owner="a")
    assert running.running.wait(PATIENCE_S)
    second = manager.submit("prune", waiting, inputs={"n": 2}, owner="a")
    third = manager.submit("sweep", other, inputs={}, owner="b")
    clock.now += 20.0
    jobs = [manager.job(identity) for identity in (second, third)]
    assert [job.wait for job in jobs if job is not None] == [
        Wait(n_before=1, seconds=40.0),
        Wait(n_before=2, seconds=100.0),
    ]
    # How long a kind takes that never ran is not made up.
    assert manager.wait_for_lane() == Wait(n_before=3, seconds=None)
    assert manager.wait_for_lane("another model") == Wait()
    for gate in (running, waiting, other):
        gate.go.set()
    ended(manager, third)
    assert manager.wait_for_lane() == Wait()


def test_jobs_of_a_visit_and_of_all_are_bounded(gate: Gate) -> None:
    manager = JobManager(limits=JobLimits(of_a_visit=2, of_all=3))
    manager.submit("prune", gate, inputs={"n": 0}, owner="a")
    assert gate.running.wait(PATIENCE_S)
    second = manager.submit("prune", returns(1), inputs={"n": 1}, owner="a")
    with pytest.raises(TooManyJobsError, match="2 of your jobs") as refusal:
        manager.submit("prune", returns(1), inputs={"n": 2}, owner="a")
    assert "FNPRUNE_MAX_JOBS_PER_VISIT" in refusal.value.hint
    assert manager.submit("prune", returns(1), inputs={"n": 1}, owner="a") == second  # joined
    manager.submit("prune", returns(1), inputs={"n": 3}, owner="b")
    with pytest.raises(TooManyJobsError, match="3 jobs run or wait on this server"):
        manager.submit("prune", returns(1), inputs={"n": 4}, owner="c")
    assert len(manager.active()) == 3
    manager.leave(second, "a")
    fourth = manager.submit("prune", returns("in"), inputs={"n": 4}, owner="c")
    gate.go.set()
    assert ended(manager, fourth).result == "in"


def test_limits_are_set_by_the_environment() -> None:
    environment = {"FNPRUNE_MAX_JOBS_PER_VISIT": "3", "FNPRUNE_MAX_JOBS": " 12 "}
    assert JobLimits.configured(environment) == JobLimits(of_a_visit=3, of_all=12)
    assert JobLimits.configured({}) == JobLimits()


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "10000000", "²"])
def test_a_limit_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="FNPRUNE_MAX_JOBS is"):
        JobLimits.configured({"FNPRUNE_MAX_JOBS": value})


def test_a_job_that_ended_holds_nothing_of_its_function() -> None:
    """Fifty finished jobs would hold fifty orders, and what these hold, for the server's life."""

    class Held:
        def __call__(self, report: Report, cancel: CancelToken) -> str:
            return "done"

    work = Held()
    held = weakref.ref(work)
    manager = JobManager()
    identity = manager.submit("prune", work, inputs={})
    ended(manager, identity)
    del work
    gc.collect()
    assert held() is None


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a process's elsewhere")
def test_jobs_give_way_to_pages() -> None:
    def niceness(report: Report, cancel: CancelToken) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    job = ran(niceness)
    assert job.result > before or before >= 5
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
