"""What to expect of a plan: grades of constructed losses and texts, and what it writes itself."""

from dataclasses import replace

import numpy as np
import pytest
from study import LEAST_SQUARES

from fnprune_core.evaluation.compare import compare
from fnprune_core.evaluation.expectation import (
    GRADES,
    N_SAMPLES,
    N_WRITTEN,
    Expectation,
    expected_of,
    grade_of,
    n_tokens_left,
    write_samples,
)
from fnprune_core.evaluation.generation import Disagreement, Generation, Prompt, Sampling
from fnprune_core.evaluation.intervals import DocumentSample
from fnprune_core.evaluation.results import DENSE, PairedDifference
from fnprune_core.evaluation.side_by_side import PRUNED, SideBySide, open_generation

GOOD, LITTLE, MUCH, BROKEN = GRADES
TEN = DocumentSample(n=10, n_effective=10.0, freedom=9.0)


@pytest.mark.parametrize(
    ("values", "grade"),
    [
        ({"nats": 0.03}, GOOD),
        ({"nats": -0.2}, GOOD),
        ({"nats": np.log(1.15)}, LITTLE),
        ({"nats": np.log(17.08 / 12.67)}, MUCH),
        ({"nats": np.log(25.9 / 12.7)}, BROKEN),  # exported with a green tick alone
        ({"nats": 0.03, "repeated": 0.4}, BROKEN),  # loops
        ({"nats": 0.03, "agreement": 0.5}, BROKEN),
        ({"nats": 0.03, "repeated": -0.2, "agreement": 0.87}, LITTLE),
        ({}, None),
    ],
)
def test_a_grade_is_the_best_whose_every_bound_is_met(values, grade) -> None:
    assert grade_of(**values) is grade


def test_the_table_of_bounds_goes_from_best_to_worst_and_takes_everything() -> None:
    bounds = np.array([[g.most_nats, g.most_repeated, -g.least_agreement] for g in GRADES])
    assert (np.diff(bounds[:-1], axis=0) > 0).all()
    assert grade_of(nats=1e9, repeated=1.0, agreement=0.0) is BROKEN


def texts(dense: list[int], pruned: list[int], pruned_choice: list[int]) -> SideBySide:
    """Two written texts, and the pruned model's choice at each token of the dense one."""

    def written(ids):
        empty = np.empty((len(ids), 0))
        return Generation(
            token_ids=np.array(ids), log_probability=empty, top_ids=empty,
            top_log_probability=empty, stop="length",
        )  # fmt: skip

    expected = Disagreement(
        divergence=np.empty(0), log_probability=np.empty(0),
        top_ids=np.array([dense, pruned_choice])[:, :, None], top_log_probability=np.empty(0),
    )  # fmt: skip
    return SideBySide(
        prompt=Prompt(text="x"), sampling=Sampling(), prompt_ids=np.array([1]),
        written={DENSE: written(dense), PRUNED: written(pruned)},
        expected={DENSE: expected, PRUNED: expected},
        pieces={}, words={}, plan_id="", model_name="",
    )  # fmt: skip


def test_loops_and_agreement_are_those_of_the_texts() -> None:
    varied, looped = list(range(12)), [1, 2, 3, 4] * 3
    one_off = [99, *varied[1:]]
    sample = texts(varied, looped, one_off)
    found = Expectation(
        loss="It lost little.", samples=(sample,),
        above_dense=PairedDifference(difference=0.01, standard_error=np.nan, sample=TEN),
    )  # fmt: skip
    assert found.agreement == pytest.approx(11 / 12)
    assert found.repeated == (0.0, pytest.approx(5 / 9))  # 9 runs of four tokens, 4 different ones
    assert found.grade is BROKEN
    assert found.title().startswith("Broken: expect nonsense")
    same = replace(found, samples=(texts(varied, varied, varied),))
    assert (same.grade, same.agreement) == (GOOD, 1.0)
    assert replace(found, samples=()).grade is GOOD
    assert "not asked to write" in " ".join(replace(found, samples=()).sentences())


def test_an_interval_that_reaches_into_other_grades_is_told() -> None:
    wide = PairedDifference(difference=0.15, standard_error=0.05, sample=TEN)
    told = " ".join(Expectation(loss="", above_dense=wide).sentences())
    assert f"from “{GOOD.name}” to “{MUCH.name}”" in told
    narrow = replace(wide, standard_error=0.001)
    assert "interval" not in " ".join(Expectation(loss="", above_dense=narrow).sentences())


def test_samples_are_written_from_the_text_that_was_read_and_judge_the_plan(study) -> None:
    plan = study.plan(LEAST_SQUARES)
    assert expected_of(study.workspace, plan).grade is None
    windows = study.windows
    compare(study.workspace, study.model, windows, plan_ids={DENSE: None, "plan": plan})
    before = expected_of(study.workspace, plan)
    assert (before.samples, before.grade) == ((), grade_of(nats=before.above_dense.difference))
    # What the writing takes is told before, by a pace that the writing itself notes.
    n_samples = min(N_SAMPLES, windows.n_windows)
    for id in (plan, None):
        n_left = n_tokens_left(study.workspace, study.model, id, windows)
        assert n_left == 2 * N_WRITTEN * n_samples
    assert study.model.pace.measured("writing") is None
    write_samples(study.workspace, study.model, plan, windows)
    assert study.model.pace.measured("writing") > 0
    assert n_tokens_left(study.workspace, study.model, plan, windows) == 0
    found = expected_of(study.workspace, plan)
    assert len(found.samples) == min(N_SAMPLES, windows.n_windows)
    stored = [open_generation(study.workspace, id) for id in study.workspace.ids("generations")]
    agreed = [
        (each.expected[DENSE].top_ids[1, :, 0] == each.written[DENSE].token_ids).mean()
        for each in stored
    ]
    assert found.agreement == pytest.approx(np.mean(agreed))
    n_stored = len(stored)
    write_samples(study.workspace, study.model, plan, windows)
    assert len(study.workspace.ids("generations")) == n_stored
