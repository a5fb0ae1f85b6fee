"""The pace of a model: what work told of itself, and what that lets expect of other work."""

import pytest
import tiny
import torch

from fnprune_core.models.pace import FACTORS, Pace


def test_what_was_measured_is_what_is_expected_and_the_latest_counts() -> None:
    pace = Pace()
    assert pace.expected("reading") is None
    pace.note("reading", 1000, 10.0)
    pace.note("reading", 3000, 10.0)
    assert pace.expected("reading") == pytest.approx(20 / 4000)
    for _ in range(20):  # two minutes of a busier machine
        pace.note("reading", 100, 10.0)
    assert pace.expected("reading") == pytest.approx(0.1)
    pace.note("reading", 0, 0.0)
    assert pace.expected("reading") == pytest.approx(0.1)


def test_other_work_is_expected_by_the_usual_ratio_until_it_was_done() -> None:
    pace = Pace()
    pace.note("reading", 1000, 11.0)
    assert pace.expected("recording") == pytest.approx(
        0.011 * FACTORS["recording"] / FACTORS["reading"]
    )
    pace.note("recording", 1000, 50.0)
    assert pace.expected("recording") == 0.05
    assert pace.expected("reading") == pytest.approx(0.011)


def test_the_latest_work_tells_of_work_that_was_not_done_and_its_age_is_known() -> None:
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    assert pace.age_s("reading") is None
    pace.note("pass", 1000, 1.0)
    now[0] = 300.0
    pace.note("recording", 1000, 14.0)  # the machine has become busy since
    now[0] = 310.0
    assert pace.expected("reading") == pytest.approx(
        0.014 * FACTORS["reading"] / FACTORS["recording"]
    )
    assert pace.age_s("reading") == 10.0
    assert pace.age_s("pass") == 310.0


def test_work_that_fails_tells_nothing() -> None:
    pace = Pace()
    with pytest.raises(ZeroDivisionError), pace.timed("pass", 10):
        raise ZeroDivisionError
    assert pace.measured("pass") is None


def test_a_pass_is_timed_once_and_leaves_the_model_as_it_was(llama) -> None:
    before = tiny.logits_of(llama.model, tiny.random_ids())
    first = llama.seconds_per_token()
    assert 0 < first < 1
    assert llama.seconds_per_token() == first
    assert tiny.is_idle(llama)
    assert tiny.lock_is_free(llama)
    assert torch.equal(tiny.logits_of(llama.model, tiny.random_ids()), before)
