from dataclasses import replace

import tiny
import torch
from study import LEAST_SQUARES
from transformers import AutoModelForCausalLM

from fnprune_core.evaluation.history import history
from fnprune_core.evaluation.results import RESULT_FILE, open_evaluation
from fnprune_core.evaluation.rivals import evaluations_of, unreadable_evaluations
from fnprune_core.export import from_workspace
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.plans.plan import PruningPlan


def test_an_export_loads_with_transformers_and_carries_its_figures(study, tmp_path) -> None:
    settings = replace(LEAST_SQUARES, intercept=True)
    plan = study.plan(settings)
    result = study.compare({"dense": None, "plan": plan})
    found = evaluations_of(study.workspace, plan)
    assert sorted(found.values()) == sorted(result.values())
    assert {label.split(",")[0] for label in found} == {"dense", "pruned"}
    folder = from_workspace.export(study.workspace, study.model, plan, tmp_path / "out")
    ids = tiny.random_ids()
    made = open_plan(study.workspace, plan)
    with torch.inference_mode():
        refits = stored_plan(study.workspace, plan).refits()
        with silenced(study.model, made.removed, refits=refits):
            expected = study.model.model(ids).logits
        actual = AutoModelForCausalLM.from_pretrained(folder)(ids).logits
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    card = (folder / "README.md").read_text()
    for id in result.values():
        value = open_evaluation(study.workspace, id).perplexity
        assert f"{value:.2f} (no interval)" in card
    assert PruningPlan.read(folder).removal_key() == made.removal_key()


def test_a_measurement_that_cannot_be_read_is_left_out_with_its_reason(study, tmp_path) -> None:
    """The export failed, and measuring again found the damaged result and failed, too."""
    plan = study.plan(LEAST_SQUARES)
    ids = study.compare({"dense": None, "plan": plan})
    losses = study.workspace.folder("evaluations", ids["dense"]) / RESULT_FILE
    losses.unlink()
    losses.mkdir()
    assert ids["dense"] not in evaluations_of(study.workspace, plan).values()
    (error,) = unreadable_evaluations(study.workspace, plan)
    assert ids["dense"] in error.message
    (told,) = history(study.workspace).unreadable
    assert told.message == error.message
    folder = from_workspace.export(study.workspace, study.model, plan, tmp_path / "out")
    card = (folder / "README.md").read_text()
    assert f"Left out: evaluations/{ids['dense']}/{RESULT_FILE}" in card
    assert str(study.workspace.root) not in card
    assert study.compare({"dense": None, "plan": plan}) == ids
    assert not unreadable_evaluations(study.workspace, plan)
