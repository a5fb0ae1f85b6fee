import numpy as np
import pytest
import tiny

from fnprune_core.errors import PlanError
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.history import delete_plan, differing_settings, history, overlap
from fnprune_core.plans.decision_log import name_plan, read_notes


def test_the_history_tells_what_was_measured_of_each_plan(lab) -> None:
    found = lab.run()
    other = tiny.toy_windows(seed=6)
    plan = found.points[0].plan_id
    compare.compare(lab.workspace, lab.model, other, plan_ids={"": plan})
    name_plan(lab.workspace, plan, "the first")
    told = history(lab.workspace, fingerprint=lab.model.fingerprint)
    assert {record.id for record in told.plans} == {point.plan_id for point in found.points}
    record = next(record for record in told.plans if record.id == plan)
    assert record.name == "the first"
    assert len(record.measured) == 2
    text = told.texts()[0]  # on which all six were measured
    assert record.on(text).perplexity == found.points[0].result.perplexity
    assert told.dense[text].perplexity == found.dense.perplexity
    assert len(told.dense) == 1
    assert history(lab.workspace, fingerprint="another").plans == ()


def test_a_deleted_plan_takes_its_notes_along_and_leaves_what_was_measured(lab) -> None:
    plan = lab.run().points[0].plan_id
    name_plan(lab.workspace, plan, "gone")
    n_evaluations = len(lab.workspace.ids("evaluations"))
    delete_plan(lab.workspace, plan)
    assert plan not in {record.id for record in history(lab.workspace).plans}
    assert read_notes(lab.workspace, plan).name == ""
    assert len(lab.workspace.ids("evaluations")) == n_evaluations


def test_only_settings_that_differ_are_told(lab) -> None:
    lab.run()
    records = history(lab.workspace).plans
    by = {(r.settings.score, r.settings.ratio, r.settings.seed): r for r in records}
    pair = [by["flap", 0.2, 0], by["random", 0.4, 1]]
    table = differing_settings(pair)
    assert set(table.index) == {"score", "ratio", "seed"}
    assert table[pair[1].id].to_dict() == {"score": "random", "ratio": "0.4", "seed": "1"}
    assert differing_settings(pair[:1]).empty


def test_overlap_is_counted_in_each_layer_and_against_chance(llama) -> None:
    removed = [np.arange(12), np.arange(24), np.arange(0)]
    others = [np.arange(6, 18), np.arange(24, 48), np.arange(0)]
    a, b = (tiny.toy_plan(llama, each) for each in (removed, others))
    table = overlap(a, b)
    assert table.loc["0", ["first", "second", "both", "first_only"]].tolist() == [12, 12, 6, 6]
    assert table.loc["0", "jaccard"] == pytest.approx(6 / 18)
    assert table.loc["0", "chance"] == pytest.approx(3 / 21)  # 12 · 12 / 48 units in common
    assert table.loc["1", "jaccard"] == 0
    assert np.isnan(table.loc["2", "jaccard"])
    assert table.loc["all", "both"] == 6
    assert table.loc["all", "chance"] == pytest.approx(15 / 57)
    assert overlap(a, a).loc["all", "jaccard"] == 1
    # chance is what random plans give
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        x, y = (
            tiny.toy_plan(llama, [rng.choice(48, len(r), replace=False) for r in each])
            for each in (removed, others)
        )
        drawn.append(overlap(x, y).loc["all", "jaccard"])
    assert np.mean(drawn) == pytest.approx(table.loc["all", "chance"], abs=0.02)


def test_plans_of_different_models_do_not_overlap(llama) -> None:
    other = tiny.tiny_language_model("Qwen2")
    with pytest.raises(PlanError, match="different models"):
        overlap(tiny.toy_plan(llama, [np.arange(3)] * 3), tiny.toy_plan(other, [np.arange(3)] * 3))
