import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from study import BIAS, LEAST_SQUARES, NO_REFIT, Study

from fnprune_core.errors import CorruptArtifactError, PlanError
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import importing


@pytest.fixture
def elsewhere(study, tmp_path):
    """A function that takes a plan's folder out of the workspace, and the plan from there."""

    def take(settings: PlanSettings, *, refits: bool = True, **changes) -> Path:
        id = study.plan(settings)
        folder = tmp_path / "taken"
        shutil.copytree(study.workspace.existing("plans", id), folder)
        study.workspace.delete("plans", id)
        (folder / "manifest.json").unlink()
        if not refits:
            (folder / "refits.safetensors").unlink()
        plan = json.loads((folder / "plan.json").read_text())
        (folder / "plan.json").write_text(json.dumps(plan | changes))
        return folder

    return take


def import_into(study: Study, path: Path) -> str:
    return importing.import_plan(study.workspace, study.model, path)


@pytest.mark.parametrize("settings", [NO_REFIT, BIAS, LEAST_SQUARES], ids=lambda s: s.compensation)
@pytest.mark.parametrize("refits", [True, False], ids=["with-refits", "recomputed"])
def test_an_imported_plan_gives_the_same_result(study, elsewhere, settings, refits) -> None:
    asked = replace(settings, preserved=(0, 1))
    original = study.compare({"": study.plan(asked)})[""]
    folder = elsewhere(asked, refits=refits)
    id = import_into(study, folder / "plan.json")
    assert study.compare({"": id})[""] == original
    assert import_into(study, folder) == id


def test_units_changed_by_hand_are_those_that_go(study, elsewhere) -> None:
    """Without refits beside it, a plan was once chosen anew from its settings."""
    removed = [[0, 5], [1, 2, 3], []]
    folder = elsewhere(BIAS, refits=False, removed=removed)
    made = open_plan(study.workspace, import_into(study, folder))
    assert [part.tolist() for part in made.removed] == removed


def test_refits_that_do_not_fit_the_units_are_refused(study, elsewhere) -> None:
    folder = elsewhere(LEAST_SQUARES, removed=[[0, 5], [1, 2, 3], []])
    with pytest.raises(
        PlanError, match=r"layer 0 the refitted columns are of shape \(32, 33\).*\(32, 46\)"
    ):
        import_into(study, folder)
    assert study.workspace.ids("plans") == []


def test_without_its_recording_a_plan_needs_refits_beside_it(study, elsewhere) -> None:
    folder = elsewhere(BIAS, recording_id="../gone")
    assert study.compare({"": import_into(study, folder)})[""]
    (folder / "refits.safetensors").unlink()
    with pytest.raises(PlanError, match=r"asks for compensation 'bias'.*Give the plan's whole"):
        import_into(study, folder)


def without(name):
    return lambda tensors: {k: v for k, v in tensors.items() if k != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: {}, "has nothing for layer"),
        (without("1.columns"), "has nothing for layer 1, where"),
        (lambda tensors: tensors | {"1.column": torch.zeros(2)}, "'1.column', which is nothing"),
        (lambda tensors: tensors | {"9.bias": torch.zeros(32)}, "'9.bias', which is nothing"),
        (lambda tensors: tensors | {"1.bias": torch.zeros(10**6)}, r"of shape \(1000000,\)"),
        (
            lambda tensors: tensors | {"1.bias": torch.zeros(32, dtype=torch.int8)},
            "in I8, numbers with a fraction",
        ),
        (lambda tensors: tensors | {"1.bias": torch.full((32,), torch.nan)}, "what is no number"),
    ],
)
def test_refits_that_would_be_passed_over_are_refused(study, elsewhere, change, message) -> None:
    """A file of refits under other names was once a plan without its compensation."""
    folder = elsewhere(LEAST_SQUARES)
    path = folder / "refits.safetensors"
    save_file(change(load_file(path)), path)
    with pytest.raises(PlanError, match=message):
        import_into(study, folder)
    assert study.workspace.ids("plans") == []


def test_refits_that_are_damaged_are_named(study, elsewhere) -> None:
    folder = elsewhere(LEAST_SQUARES)
    path = folder / "refits.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CorruptArtifactError, match=r"refits\.safetensors is damaged"):
        import_into(study, folder)
