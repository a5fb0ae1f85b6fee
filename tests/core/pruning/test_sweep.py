from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.evaluation import compare, results
from fnprune_core.evaluation.results import paired_difference
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import compensation, planner
from fnprune_core.pruning import sweep as sweeping
from fnprune_core.pruning.sweep import SweepOrder, estimate_sweep, pooled

BASE = PlanSettings(sink_units=2, allocation="uniform")


def test_a_sweep_measures_each_score_ratio_and_seed_as_a_comparison_does(lab) -> None:
    found = lab.run()
    rows = [(p.score, p.ratio, p.seed) for p in found.points]
    assert rows == [
        ("flap", 0.2, 0), ("flap", 0.4, 0),
        ("random", 0.2, 0), ("random", 0.2, 1), ("random", 0.4, 0), ("random", 0.4, 1),
    ]  # fmt: skip
    assert found.is_complete
    plan = planner.plan(
        lab.workspace, lab.model, recording_id=lab.recording.id,
        settings=BASE.with_(score="random", seed=1, ratio=0.4),
    )  # fmt: skip
    assert plan == found.points[-1].plan_id
    ids = compare.compare(lab.workspace, lab.model, lab.windows, plan_ids={"": plan})
    alone = results.open_evaluation(lab.workspace, ids[""])
    np.testing.assert_array_equal(alone.window_nll, found.points[-1].result.window_nll)
    row = found.rows()[-1]
    paired = paired_difference(alone, found.dense)
    np.testing.assert_array_equal(
        (row["difference"], row["difference_error"]), (paired.difference, paired.standard_error)
    )
    assert found.points[0].achieved_ratio == pytest.approx(0.2, abs=0.01)


def test_a_stopped_sweep_goes_on_and_ends_where_an_uninterrupted_one_does(lab, monkeypatch) -> None:
    cancel, partial_ = CancelToken(), []

    def stop(found):
        partial_.append(found)
        if len(found.points) == 2:
            cancel.cancel()

    with pytest.raises(Cancelled):
        lab.run(on_partial=stop, cancel=cancel)
    assert [len(each.points) for each in partial_] == [0, 1, 2]
    assert tiny.is_idle(lab.model)
    read = []
    forward = lab.model.model.forward
    monkeypatch.setattr(
        lab.model.model, "forward", lambda *a, **o: read.append(len(a[0])) or forward(*a, **o)
    )
    rest = lab.run()
    assert sum(read) == 4 * lab.windows.n_windows
    for before, after in zip(partial_[-1].points, rest.points, strict=False):
        np.testing.assert_array_equal(before.result.window_nll, after.result.window_nll)
    read.clear()
    again = lab.run()
    assert not read  # all of it is found
    pd.testing.assert_frame_equal(pd.DataFrame(again.rows()), pd.DataFrame(rest.rows()))


def test_progress_counts_the_windows_of_all_plans(lab) -> None:
    events = []
    lab.run(progress=events.append)
    reading = [e for e in events if e.stage == sweeping.READING]
    assert {e.total for e in reading} == {7 * lab.windows.n_windows}
    done = [e.done for e in reading]
    assert done == sorted(done)
    assert done[-1] == 7 * lab.windows.n_windows
    estimate = estimate_sweep(lab.model, lab.windows, lab.order, n_tokens=lab.recording.n_tokens)
    assert estimate.n_windows == 7 * lab.windows.n_windows
    pace = lab.model.pace  # of the sweep just run
    expected = pace.measured("reading") * 7 * lab.windows.n_tokens
    expected += pace.measured("planning") * 6 * lab.recording.n_tokens
    assert estimate.seconds == pytest.approx(expected)
    assert estimate.disk_bytes == pytest.approx(4 * 32 * 144 * (0.8 + 0.6) * 3, rel=1e-3)
    order = replace(lab.order, base=BASE.with_(compensation="reconstruct"))
    trained = estimate_sweep(
        lab.model, lab.windows, order, n_tokens=lab.recording.n_tokens
    )  # the two rows that feed a unit, too
    assert trained.disk_bytes == pytest.approx(3 * estimate.disk_bytes, rel=1e-3)


def test_a_ratio_that_cannot_be_met_is_a_point_that_says_so(lab) -> None:
    base = BASE.with_(sink_units=10)
    order = SweepOrder(
        recording_id=lab.recording.id, base=base, scores=("flap",), ratios=(0.2, 0.9)
    )
    found = lab.run(order)
    assert [bool(point.failure) for point in found.points] == [False, True]
    assert "most" in found.points[1].failure
    assert np.isnan(found.rows()[1]["perplexity"])
    assert found.table()["perplexity"].notna().tolist() == [True, False]


def test_plans_are_made_in_parts_that_fit_in_memory(lab, monkeypatch) -> None:
    parts = []
    make = planner.plans
    monkeypatch.setattr(
        sweeping, "plans", lambda *a, settings, **o: parts.append(len(settings))
        or make(*a, settings=settings, **o),
    )  # fmt: skip
    size = 4 * 32 * 144
    monkeypatch.setattr(compensation, "MOST_BYTES", int(1.5 * size))
    whole = lab.run()
    assert parts == [2, 1, 2, 1]
    assert whole.is_complete


def test_seeds_are_one_point_with_their_spread() -> None:
    shared = {"achieved_ratio": 0.2, "share_of_parameters": 0.1}
    rows = [
        {"score": "random", "ratio": 0.2, "perplexity": p, "standard_error": 0.5,
         "difference": np.log(p / 10), "difference_error": 0.01, **shared}
        for p in (20.0, 30.0, 45.0)
    ]  # fmt: skip
    rows.append({**rows[0], "score": "flap"})
    table = pooled(rows).set_index("score")
    assert table.loc["random", "perplexity"] == pytest.approx(30)  # geometric: nats are averaged
    assert table.loc["random", "error"] == pytest.approx(np.std([20, 30, 45], ddof=1))
    assert table.loc["random", "difference"] == pytest.approx(np.log(3))
    assert table.loc["random", "difference_error"] == pytest.approx(np.log(1.5))
    assert table.loc["random", ["seeds", "spread"]].tolist() == [3, "seeds"]
    assert table.loc["flap", ["error", "seeds", "spread"]].tolist() == [0.5, 1, "text"]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"ratios": (0.2, 1.5)}, RatioError, "1.5"),
        ({"ratios": ()}, SettingsError, "at least one"),
        ({"scores": ("flop",)}, SettingsError, "flop"),
        ({"n_seeds": 0}, SettingsError, "n_seeds"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(changes, error, says) -> None:
    asked = {"recording_id": "x", "base": BASE, "scores": ("flap",), "ratios": (0.2,)}
    with pytest.raises(error, match=says):
        SweepOrder(**{**asked, **changes})
