"""Links with values that no page writes: each opens, says what is missing, and lets it go."""

import threading
import time

import pytest
from driving import SESSION, press, said, view
from streamlit.testing.v1 import AppTest

from app import pages
from app.shell import codec, resources, view_fields
from app.shell.view_fields import ViewState

HOSTILE = ("abc", "-1", "9" * 5000, "0-999999999", "1e400", "nan", "\0", "../../etc", "<b>", "é")


def broken(at) -> list[str]:
    """Return what a page says that is no message for a person."""
    internal = [box.value for box in at.error if "Something went wrong inside" in box.value]
    return [exception.message for exception in at.exception] + internal


@pytest.mark.parametrize("digits", ["9" * 5000, "0-" + "9" * 5000, "1." * 9000, "0-4096." * 9000])
def test_a_link_of_many_digits_opens_the_page(open_page, example, digits) -> None:
    """`drop=` with 5,000 digits once killed the page."""
    at = open_page("prune", **example.view(), drop=digits, stay=digits, go=digits, network=digits)
    assert broken(at) == []
    assert all(network <= view_fields.MOST_NETWORKS for network in view(at).dropped)


@pytest.mark.parametrize("page", [view.url for view in pages.VIEWS])
def test_a_link_to_what_is_not_there_says_so_on_every_page(open_page, example, page) -> None:
    gone = dict.fromkeys(("plan", "generation", "study", "other", "writing"), "abc")
    at = open_page(page, **example.view(), **gone, plans="abc.abd")
    assert broken(at) == []
    assert "plan not found" in [link.label for link in at.page_link]


def test_the_line_at_the_top_says_what_is_not_found(open_page) -> None:
    """On a page that asks for neither, such as the glossary, nothing else would."""
    at = open_page("glossary", recording="0" * 16, atlas="1" * 16)
    labels = [link.label for link in at.page_link]
    assert {"recording not found", "atlas not found", "no plan"} <= set(labels)


def test_generations_that_are_gone_are_put_away(open_page, example) -> None:
    """It was once an internal error: two buttons of one key, for what two places missed."""
    at = open_page("generations", **example.view(), generation="abc")
    assert broken(at) == []
    assert "There is no generation 'abc'" in said(at)
    press(at, "Go on without it")
    assert view(at).generation == ""
    assert view(at).atlas == example.atlas
    assert "abc" not in said(at)


def test_a_plan_and_an_atlas_that_are_gone_are_put_away_on_prune(open_page, example) -> None:
    """Each place that missed them once drew a button of the same key."""
    at = open_page("prune", recording=example.recording, atlas="abc", plan="abd")
    assert broken(at) == []
    for _ in range(3):
        if [button for button in at.button if button.label == "Go on without it"]:
            press(at, "Go on without it")
    assert broken(at) == []
    assert (view(at).recording, view(at).atlas, view(at).plan) == (example.recording, "", "")


def test_a_job_that_two_places_of_a_page_wait_for_has_two_buttons(fresh) -> None:
    """Prune offers the model in several places: while it was loaded, their buttons had one key."""

    def page() -> None:
        from app.shell import navigation, resources
        from app.widgets import job_progress

        navigation.synchronise()
        job = resources.jobs().jobs()[0]
        job_progress.watch(job.id)
        job_progress.watch(job.id)

    done = threading.Event()
    job = resources.jobs().submit(
        "load", lambda *_: done.wait(60), inputs={}, title="Load", owner=SESSION
    )
    try:
        at = AppTest.from_function(page, default_timeout=60).run()
        assert broken(at) == []
        assert [button.label for button in at.button] == ["Stop", "Stop"]
    finally:
        done.set()
        resources.jobs().wait(job, timeout=60)


@pytest.mark.parametrize("name", sorted(codec.names(ViewState)))
def test_no_value_of_a_parameter_is_taken_beyond_its_bounds(name) -> None:
    start = time.perf_counter()
    for value in (*HOSTILE, "a" * 10**6, "0-999999." * 10**5, "9" * 10**6):
        decoded = view_fields.decode({name: value})
        assert view_fields.decode(view_fields.encode(decoded)) == decoded
        assert sum(map(len, view_fields.encode(decoded).values())) <= codec.MOST_PATH
    assert time.perf_counter() - start < 2


def test_overlapping_spans_cost_no_more_than_one() -> None:
    start = time.perf_counter()
    assert codec.expand("0-999999." * 2000, largest=999_999) == tuple(range(1_000_000))
    assert time.perf_counter() - start < 1
    assert view_fields.decode({"stay": "0-999999"}).stay == ()
    assert len(view_fields.decode({"stay": "0-99999"}).stay) == view_fields.MOST_PINNED
