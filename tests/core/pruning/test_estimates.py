"""What training takes is said before: it grows with plans, passes and tokens."""

import pytest
import tiny

from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import estimates, planner
from fnprune_core.pruning.estimates import ComparisonLeft, estimate_training, is_trained
from fnprune_core.pruning.reconstruction import Training

TRAINED = PlanSettings(score="flap", ratio=0.4, compensation="reconstruct", sink_units=0)


def test_only_what_is_trained_costs(llama):
    windows = tiny.toy_windows()
    plans = [TRAINED, TRAINED.with_(compensation="least-squares"), TRAINED.with_(ratio=0.0)]
    assert [is_trained(each) for each in plans] == [True, False, False]
    takes = estimate_training(llama, windows, plans, token_s=0.01)
    assert takes.n_plans == 1
    nothing = estimate_training(llama, windows, plans[1:], token_s=0.01)
    assert (nothing.n_plans, nothing.seconds) == (0, 0.0)


def test_a_comparison_takes_what_is_still_to_be_made_and_read(llama):
    windows, flap = tiny.toy_windows(), TRAINED.with_(compensation="bias")
    llama.pace.note("planning", 100, 2.0)
    llama.pace.note("reading", 100, 1.0)
    planning, reading = (llama.seconds_per_token(work) for work in ("planning", "reading"))
    takes = ComparisonLeft(own=[flap], rivals=[flap, flap], n_tokens=640).estimate(llama, windows)
    assert takes.own == pytest.approx(planning * windows.n_tokens)
    assert takes.rivals == pytest.approx(2 * takes.own)
    assert takes.reading == pytest.approx(640 * reading)
    assert takes.seconds == pytest.approx(takes.own + takes.rivals + takes.reading)
    assert takes.first_seconds == pytest.approx(takes.own + windows.window * reading)
    llama.pace.note("writing", 10, 3.0)
    written = ComparisonLeft(n_written=20).estimate(llama, windows)
    assert (written.writing, written.seconds) == (pytest.approx(6.0), pytest.approx(6.0))
    known = ComparisonLeft().estimate(llama, windows)
    assert (known.seconds, known.first_seconds) == (0, 0)
    assert ComparisonLeft(own=[TRAINED]).estimate(llama, windows).own > takes.own


def test_the_estimate_counts_sessions_passes_and_plans(llama):
    windows, training = tiny.toy_windows(), Training(n_passes=2)
    session_s = 0.01 * windows.n_tokens / windows.n_windows  # 3 of each domain teach
    step, check = estimates.FORWARDS_A_STEP, estimates.FORWARDS_A_CHECK
    takes = estimate_training(llama, windows, [TRAINED] * 3, token_s=0.01, training=training)
    assert takes.seconds_each == pytest.approx(session_s * (2 * 6 * step + 3 * 2 * check))
    assert takes.seconds == pytest.approx(3 * takes.seconds_each)
    more = estimate_training(llama, windows, [TRAINED.with_(ratio=0.1)], token_s=0.01)
    assert more.memory_bytes > takes.memory_bytes > 4 * llama.anatomy().n_parameters * 0.5


def test_plans_trained_before_a_stop_are_kept_and_progress_is_that_of_all(
    workspace, recording, llama
):
    """Refits of all plans were once made before the first was saved: a stop lost minutes."""
    wanted = [TRAINED, TRAINED.with_(ratio=0.2), TRAINED.with_(ratio=0.3)]
    events, cancel = [], CancelToken()

    def told(event):
        if event.stage == "reconstruction":
            events.append(event)
            if event.done == 1 + event.total // 3:  # the second plan has begun
                cancel.cancel()

    with pytest.raises(Cancelled):
        planner.plans(
            workspace, llama, recording_id=recording.id, settings=wanted,
            progress=told, cancel=cancel,
        )  # fmt: skip
    assert tiny.is_idle(llama)
    assert tiny.lock_is_free(llama)
    assert {event.total for event in events} == {3 * (events[-1].done - 1)}
    assert [event.done for event in events] == list(range(1, len(events) + 1))
    [first] = workspace.ids("plans")
    assert files.open_plan(workspace, first).settings.ratio == TRAINED.ratio
