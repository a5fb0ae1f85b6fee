"""Two people at one server: jobs of one, as the other sees them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import streamlit as st
from driving import finish, press, said, view
from streamlit.testing.v1 import AppTest

from app import pages
from app.doors import here, visits
from app.pruning.prune_tasks import PLAN
from app.shell import resources
from app.shell.jobs.limits import JobLimits
from app.shell.jobs.manager import JobManager
from app.shell.jobs.record import Report
from fnprune_core.progress import CancelToken

PATIENCE_S = 10.0


class Browsers:
    """Whose cookies the server is shown."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Let everything inside come from this browser."""
        cookie = visits.issued(here.door(), name)
        before, self.cookies = self.cookies, {visits.cookie_name(): cookie}
        try:
            yield
        finally:
            self.cookies = before


@pytest.fixture
def browsers(monkeypatch) -> Browsers:
    made = Browsers()
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: made.cookies))
    return made


class Blocking:
    """A job that runs until it is let go."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()

    def __call__(self, report: Report, cancel: CancelToken) -> str:
        self.running.set()
        assert self.go.wait(60)
        cancel.raise_if_cancelled()
        return "through"


@pytest.fixture
def lane() -> Iterator[Blocking]:
    """A job that keeps the lane of the model busy; let go at the end."""
    job = Blocking()
    yield job
    job.go.set()


def stops(at: AppTest) -> list[str]:
    """Return the jobs that a page offers to stop."""
    return [str(b.key).split("-")[1] for b in at.button if str(b.key).startswith("stop-")]


def stop_button(at):
    [button] = [b for b in at.button if str(b.key).startswith("stop-")]
    return button


def captions(at: AppTest) -> str:
    return "\n".join(caption.value for caption in at.caption)


def has_apply(at: AppTest) -> bool:
    return any(button.label == "Apply" for button in at.button)


def evaluating(at: AppTest, path: object, *, ratio: int = 20) -> AppTest:
    """Press Apply on a text that was not recorded."""
    at.segmented_control(key="evaluate-kind").set_value("Path or data set").run()
    at.text_input(key="evaluate-source").set_value(str(path)).run()
    at.slider(key="prune-ratio").set_value(ratio).run()
    return press(at, "Apply")


def test_a_plan_that_another_visit_makes_changes_nothing_here(open_page, example, browsers, lane):
    """B on Prune lost Apply, got Stop for A's job, and B's URL became A's plan."""
    resources.jobs().submit("prune", lane, inputs={"of": "a"}, owner="a")
    assert lane.running.wait(PATIENCE_S)
    [job] = resources.jobs().active()
    with browsers.at("b"):
        here = open_page("prune", **example.view())
        assert has_apply(here)
        assert stops(here) == []
        assert view(here).job == ""
        assert "1 job before yours" in captions(here)
        linked = open_page("prune", **example.view(), job=job.id)  # a link that a got sent
        assert has_apply(linked)
        assert stops(linked) == []
    with browsers.at("a"):  # a new tab of the owner, without the job in its URL
        there = open_page("prune", **example.view())
        assert stops(there) == [job.id]
        assert view(there).job == job.id
        assert not has_apply(there)


def test_each_is_led_to_the_own_result(open_page, example, browsers) -> None:
    with browsers.at("a"):
        of_a = evaluating(open_page("prune", **example.view()), example.held_out)
    with browsers.at("b"):
        of_b = open_page("prune", **example.view())
        evaluating(of_b, example.held_out, ratio=40)
    ids = [resources.jobs().owned(owner)[0].id for owner in "ab"]
    assert ids[0] != ids[1]
    for identity in ids:
        job = resources.jobs().wait(identity, timeout=120)
        assert job is not None
        assert job.state == "done", job.failure
    plans = []
    for name, at in (("a", of_a), ("b", of_b)):
        with browsers.at(name):
            at.run()
            plans.append(view(at).plan)
    assert all(plans)
    assert plans[0] != plans[1]
    with browsers.at("c"):
        assert view(open_page("prune", **example.view())).plan == ""


def test_equal_plans_share_one_run_and_stopping_leaves_it_to_the_other(
    open_page: Callable[..., AppTest], example, browsers: Browsers, lane: Blocking
) -> None:
    resources.jobs().submit("record", lane, inputs={}, owner="c")
    assert lane.running.wait(PATIENCE_S)
    with browsers.at("a"):
        of_a = evaluating(open_page("prune", **example.view()), example.held_out)
    with browsers.at("b"):
        of_b = evaluating(open_page("prune", **example.view()), example.held_out)
    [job] = resources.jobs().active("prune")
    assert job.owners == {"a", "b"}
    assert "1 job before yours" in captions(of_b)
    with browsers.at("b"):
        stop_button(of_b).click().run()
        assert has_apply(of_b)
        assert stops(of_b) == []
        assert "another visitor who asked for the same" in "".join(t.value for t in of_b.toast)
    with browsers.at("a"):
        of_a.run()
        assert stops(of_a) == [job.id]
        stop_button(of_a).click().run()
    assert resources.jobs().active("prune") == []


def test_a_result_that_no_tab_saw_is_taken_once_by_a_new_tab(open_page, example, browsers) -> None:
    with browsers.at("a"):
        evaluating(open_page("prune", **example.view()), example.held_out)
        [job] = resources.jobs().owned("a")
        ended = resources.jobs().wait(job.id, timeout=120)
        assert ended is not None
        assert ended.state == "done", ended.failure
        later = open_page("prune", **example.view())  # the tab that asked was closed
        assert view(later).plan == ended.result.plan_ids[PLAN]
        assert view(open_page("prune", **example.view())).plan == ""


def test_own_jobs_are_found_on_the_first_page(open_page, example, browsers, lane) -> None:
    identity = resources.jobs().submit("prune", lane, inputs={}, title="A plan", owner="a")
    assert lane.running.wait(PATIENCE_S)
    with browsers.at("a"):
        assert stops(open_page()) == [identity]
    with browsers.at("b"):
        at = open_page()
        assert stops(at) == []
        assert "A plan" not in "".join(m.value for m in at.markdown)


def test_a_job_too_many_is_refused_on_the_page(open_page, example, browsers, lane, monkeypatch):
    manager = JobManager(limits=JobLimits(of_a_visit=1))
    monkeypatch.setattr(resources, "jobs", lambda: manager)
    manager.submit("record", lane, inputs={}, owner="a")
    with browsers.at("a"):
        at = evaluating(open_page("prune", **example.view()), example.held_out)
        assert "1 of your jobs run or wait already" in said(at)
        assert "FNPRUNE_MAX_JOBS_PER_VISIT" in said(at)
        assert has_apply(at)
        at.switch_page(pages.path("plans")).run()
        assert "1 of your jobs" not in said(at)


def test_without_a_cookie_the_session_is_the_visit(open_page, example) -> None:
    at = evaluating(open_page("prune", **example.view()), example.held_out)
    [job] = resources.jobs().jobs()
    assert all(job.owners)
    assert finish(at).state == "done"
    assert view(at).plan
