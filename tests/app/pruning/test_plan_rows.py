from dataclasses import replace

import numpy as np
import pytest

from app.pruning.plan_rows import Measured, Wanted, filtered, numeric, runs
from app.pruning.plans.trade_rows import lines, trade_table
from fnprune_core.evaluation.history import Measurement, PlanRecord
from fnprune_core.plans.plan import PlanSettings


def test_runs_are_filtered_grouped_and_told_what_was_measured() -> None:
    plans = [
        replace(record(score="flap", compensation="bias"), id="a"),
        replace(record(score="random", compensation="none"), id="b", name="my plan"),
        replace(record(score="flap", compensation="none"), id="c"),
    ]
    measured = {
        "a": Measured(perplexity=9.0, kept=8.0, given_up=40.0, domains={"x": 8.0}, decode=1.4),
        "c": Measured(perplexity=12.0, kept=12.0, domains={"x": 11.0, "y": 13.0}),
    }
    names = {plan.id: plan.name or f"plan {plan.id}" for plan in plans}
    table = runs(plans, measured, names=names, given_up={"a": ("y",), "b": (), "c": ()})
    assert table.loc["a", ["kept", "given up", "decode", "domain 0"]].tolist() == [
        8.0,
        40.0,
        1.4,
        8.0,
    ]
    assert np.isnan(table.loc["b", "kept"])
    assert np.isnan(table.loc["a", "domain 1"])
    assert table["texts given up"].tolist() == ["y", "none", "none"]

    def ids(group: str = "", **wanted) -> list[str]:
        return list(filtered(table, Wanted(**wanted), group=group).index)

    assert ids() == ["a", "b", "c"]
    assert ids(words="flap NONE") == ["c"]
    assert ids(words="my plan") == ["b"]
    assert ids(scores=("FLAP",)) == ["a", "c"]
    assert ids(most=10.0) == ["a"]  # what was not measured is not below it
    assert ids(group="compensation") == ["a", "b", "c"]
    assert ids(group="score") == ["a", "c", "b"]
    assert {"kept", "parameters gone", "domain 0"} <= set(numeric(table))
    assert not {"plan", "score", "made", "prefill"} & set(numeric(table))


def record(*, recording: str = "r", perplexity: float = 20.0, **settings) -> PlanRecord:
    measured = Measurement(
        evaluation_id=f"{recording}-{perplexity}", text="t", perplexity=perplexity,
        standard_error=1.0, n_documents=20, n_tokens=100, protocol={},
    )  # fmt: skip
    return PlanRecord(
        id="a" * 16, name="", created="", size_bytes=0,
        settings=PlanSettings(**{"score": "flap", **settings}), fingerprint="f",
        model_name="m", recording_id=recording, decomposition_id="", achieved_ratio=0.2,
        share_of_parameters=0.1, n_preserved=0, n_networks=0, n_removed_groups=0,
        measured=(measured,),
    )  # fmt: skip


def test_plans_lie_on_one_line_if_they_differ_in_ratio_and_seed_alone() -> None:
    same = [record(ratio=0.2), record(ratio=0.4), record(score="random", seed=3)]
    assert lines(same) == ["FLAP", "FLAP", "Random"]
    apart = lines([*same[:2], record(compensation="bias")])
    assert apart == ["FLAP · least-squares"] * 2 + ["FLAP · bias"]
    assert lines([same[0], record(multiple=64)]) == ["FLAP", "FLAP · multiple 64"]


def test_recordings_are_lines_apart_or_seeds_of_one() -> None:
    """Draws of one calibration text: their spread is what the choice of text does."""
    plans = (
        replace(record(recording="first", perplexity=20.0), id="a"),
        replace(record(recording="second", perplexity=22.0), id="b"),
        replace(record(recording="second", perplexity=30.0, ratio=0.4), id="c"),
    )
    measured = {
        plan.id: Measured(kept=plan.measured[0].perplexity, kept_error=1.0) for plan in plans
    }
    apart = trade_table(plans, measured)
    assert apart["series"].tolist() == [
        "FLAP · recording first", "FLAP · recording second", "FLAP · recording second"
    ]  # fmt: skip
    together = trade_table(plans, measured, recordings_too=True)
    assert together["series"].tolist() == ["FLAP", "FLAP"]
    assert together["perplexity"].tolist() == pytest.approx([np.sqrt(20 * 22), 30.0])
    assert together["error"].tolist() == pytest.approx([np.std([20, 22], ddof=1), 1.0])
    assert together["seeds"].tolist() == [2, 1]
