"""What people get wrong in the prune lab, by hand and from the command line: each told in place."""

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from study import Study, begin

from fnprune_core.errors import (
    ArtifactNotFoundError,
    FingerprintMismatchError,
    FnpruneError,
    PlanError,
    RatioError,
    SettingsError,
    StorageError,
    UnsupportedArchitectureError,
)
from fnprune_core.evaluation import compare, results
from fnprune_core.export import from_workspace, rounding
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.loading import load_model
from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import importing
from fnprune_core.storage.workspace import Workspace

UNIFORM = PlanSettings(ratio=0.3, sink_units=2, allocation="uniform")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Study, str]:
    """A study whose model is in a folder, and a plan of it."""
    root = tmp_path_factory.mktemp("lab")
    folder = root / "model"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    study = begin(Workspace(root / "workspace"), load_model(str(folder), dtype="float32"))
    return study, study.plan(UNIFORM)


@pytest.fixture
def lab(made, tmp_path) -> SimpleNamespace:
    study, plan = made
    root = tmp_path / "workspace"
    shutil.copytree(study.workspace.root, root)
    return SimpleNamespace(
        study=replace(study, workspace=Workspace(root)), plan=plan, model=study.model.source
    )


@pytest.fixture
def run(program, lab):
    """Run a command that fails in the lab's workspace; return its one sentence."""

    def failed(*words: object) -> str:
        code, out, err = program.run(*words, "-w", lab.study.workspace.root, "-m", lab.model)
        assert (code, out) == (2, "")
        assert err.count("Error:") == 1
        assert "Traceback" not in err
        return " ".join(err.split())

    return failed


# What is preserved, and how much goes


def test_nothing_preserved(lab, run) -> None:
    with pytest.raises(SettingsError, match="No network is preserved"):
        lab.study.plan(UNIFORM.with_(preserved=()))
    words = ("plan", lab.study.recording, "-d", lab.study.atlas)
    assert "No network is preserved" in run(*words, "--drop", "0-3")
    assert "No network is preserved" in run(*words, "--preserve", "")


def test_a_network_that_is_not_there(lab, run) -> None:
    words = ("plan", lab.study.recording, "-d", lab.study.atlas, "--drop")
    assert "no network 9" in run(*words, "9").lower()
    assert "not a list of networks" in run(*words, "5-2")
    assert "not a list of networks" in run(*words, "all")


def test_a_ratio_that_sink_units_do_not_allow_says_the_most(lab, run) -> None:
    settings = PlanSettings(ratio=0.95, sink_units=12, allocation="global")
    with pytest.raises(RatioError, match=r"at most 0\.75") as caught:
        lab.study.plan(settings)
    possible = float(caught.value.hint.split("at most ")[1].split(",")[0])
    plan = lab.study.plan(settings.with_(ratio=possible))  # what the hint says is possible
    assert files.open_plan(lab.study.workspace, plan).achieved_ratio > possible - 0.01
    words = ("plan", lab.study.recording, "-d", lab.study.atlas, "--allocation", "global")
    assert "at most 0.75" in run(*words, "--ratio", 0.95, "--sink-units", 12)


@pytest.mark.parametrize("ratio", ["1", "20", "-0.1", "nan"])
def test_a_ratio_that_is_no_share(run, lab, ratio) -> None:
    assert "The ratio is the share" in run("plan", lab.study.recording, "--ratio", ratio)


def test_a_size_is_asked_for_in_place_of_a_ratio(lab, program, run) -> None:
    words = ("plan", lab.study.recording, "-w", lab.study.workspace.root, "-m", lab.model)
    dense = Dimensions.of(lab.study.model).n_parameters
    smaller = program.json(*words, "--score", "flap", "--smaller", "20%")
    assert 0.2 <= smaller["share_of_parameters"] < 0.21
    parameters = program.json(*words, "--score", "flap", "--parameters", f"{0.8 * dense / 1e3}K")
    assert parameters["id"] == smaller["id"]
    megabytes = 0.8 * dense * 2 / 1e6
    alike = program.json(*words, "--score", "flap", "--smaller", "20%", "--form", "uniform")
    assert alike["allocation"] == "uniform"
    assert len(set(alike["kept_widths"])) == 1
    file = ("--megabytes", megabytes, "--form", "gguf")
    stored = program.json(*words, "--score", "flap", *file)
    assert stored["allocation"] != "uniform"
    assert stored["megabytes"] <= megabytes < 1.1 * stored["megabytes"]
    words = ("plan", lab.study.recording, "--score", "flap")
    assert "cannot be that small" in run(*words, "--smaller", "0.9")
    assert "both asked for" in run(*words, "--smaller", "20%", "--ratio", "0.3")
    assert "in one unit" in run(*words, "--smaller", "20%", "--megabytes", "1")
    assert "not an amount" in run(*words, "--smaller", "a lot")


# A plan.json that was edited, or is another's


def empty_a_layer(plan) -> None:
    plan["removed"][1] = list(range(plan["widths"][1]))


#: A few of what core/plans/test_plan.py and test_plan_values.py refuse, and what needs a model.
EDITS = {
    "empties a layer": (empty_a_layer, "would empty layer 1"),
    "half a unit": (lambda plan: plan["removed"][0].append(1.5), "should be a valid integer"),
    "a layer too many": (lambda plan: plan["removed"].append([]), "does not fit"),
    "a setting of tomorrow": (lambda plan: plan["settings"].update(mood="good"), "damaged"),
    "a newer version": (lambda plan: plan.update(plan_version=99), "plan_version 99"),
    "another model": (lambda plan: plan.update(fingerprint="0" * 16), "fingerprint 0000"),
    "other widths": (
        lambda plan: plan.update(widths=[48, 48, 50]), "48, 48, 50 units",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_plan_is_refused_by_every_command(lab, run, tmp_path, name) -> None:
    edit, message = EDITS[name]
    folder = tmp_path / "edited"
    shutil.copytree(lab.study.workspace.folder("plans", lab.plan), folder)
    plan = json.loads((folder / "plan.json").read_text())
    edit(plan)
    (folder / "plan.json").write_text(json.dumps(plan))
    before = lab.study.workspace.ids("plans")
    with pytest.raises(PlanError, match=message):
        importing.import_plan(lab.study.workspace, lab.study.model, folder)
    for words in (("prune", folder), ("generate", folder / "plan.json", "aq ar")):
        assert message in run(*words)
    target = tmp_path / "out"
    assert message in run("export", folder, target)
    assert not target.exists()
    assert lab.study.workspace.ids("plans") == before


def test_units_named_twice_go_once(lab, tmp_path) -> None:
    folder = tmp_path / "edited"
    shutil.copytree(lab.study.workspace.folder("plans", lab.plan), folder)
    plan = json.loads((folder / "plan.json").read_text())
    plan["removed"][0] += plan["removed"][0]
    (folder / "plan.json").write_text(json.dumps(plan))
    again = importing.import_plan(lab.study.workspace, lab.study.model, folder)
    made = (files.open_plan(lab.study.workspace, id) for id in (lab.plan, again))
    assert len({each.removal_key() for each in made}) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_what_is_no_plan(lab, run, tmp_path, content) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    with pytest.raises(FnpruneError):
        importing.import_plan(lab.study.workspace, lab.study.model, file)
    run("prune", file)


def test_a_plan_that_was_deleted(lab, run) -> None:
    lab.study.workspace.delete("plans", lab.plan)
    with pytest.raises(ArtifactNotFoundError):
        lab.study.compare({"dense": None, "plan": lab.plan})
    for command in ("prune", "evaluate", "export", "generate"):
        words = {
            "prune": (lab.plan,), "evaluate": ("--plan", lab.plan),
            "export": (lab.plan, "out"), "generate": (lab.plan, "aq"),
        }[command]  # fmt: skip
        assert "There is no plan" in run(command, *words)


# Stopped


# Exports


def test_an_export_goes_nowhere_it_must_not(lab, run, tmp_path, monkeypatch) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    file.write_text("a file")
    for target in (full, file):
        assert "exists already" in run("export", lab.plan, target)
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]
    assert file.read_text() == "a file"
    run("export", lab.plan, file / "below")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 99, 1))
    target = tmp_path / "new"
    with pytest.raises(StorageError, match=r"needs .* free"):
        from_workspace.export(lab.study.workspace, lab.study.model, lab.plan, target)
    assert not target.exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "unfinished" in path.name) == []


@pytest.fixture
def per_layer(lab, tmp_path) -> Path:
    plan = lab.study.plan(PlanSettings(ratio=0.4, sink_units=0, allocation="global"))
    folder = tmp_path / "per-layer"
    return from_workspace.export(
        lab.study.workspace, lab.study.model, plan, folder, form="per-layer"
    )


def test_a_per_layer_export_is_no_model_for_the_workbench(per_layer) -> None:
    """It was refused as needing "code of its own, or a newer transformers": true, and no help."""
    with pytest.raises(UnsupportedArchitectureError, match="per-layer export") as caught:
        load_model(str(per_layer))
    assert "plan.json" in caught.value.hint


@pytest.mark.parametrize("form", ["masked", "per-layer"])
def test_an_exports_plan_can_be_taken_in_again(lab, tmp_path, form) -> None:
    folder = from_workspace.export(
        lab.study.workspace, lab.study.model, lab.plan, tmp_path / "export", form=form,
        with_refits=True,
    )  # fmt: skip
    elsewhere = Workspace(tmp_path / "elsewhere")
    id = importing.import_plan(elsewhere, lab.study.model, folder)
    ours, theirs = (
        files.open_plan(workspace, plan)
        for workspace, plan in ((lab.study.workspace, lab.plan), (elsewhere, id))
    )
    assert ours.removal_key() == theirs.removal_key()
    losses = [
        results.open_evaluation(
            workspace,
            compare.evaluate(workspace, lab.study.model, lab.study.windows, plan_id=plan),
        ).window_nll
        for workspace, plan in ((lab.study.workspace, lab.plan), (elsewhere, id))
    ]
    np.testing.assert_array_equal(*losses)


def test_a_uniform_export_is_a_model_like_any_other(lab, tmp_path) -> None:
    """It can be opened, and a plan for the model it was made from is refused on it."""
    id = rounding.plan_for_form(
        lab.study.workspace, lab.study.model, lab.plan, form="uniform", multiple=4
    )
    folder = from_workspace.export(
        lab.study.workspace, lab.study.model, id, tmp_path / "uniform", form="uniform"
    )
    loaded = load_model(str(folder), dtype="float32")
    kept = files.open_plan(lab.study.workspace, id).kept_widths
    assert loaded.layout.widths == kept
    with pytest.raises(FingerprintMismatchError):
        importing.import_plan(lab.study.workspace, loaded, folder)
