import shutil
import threading
from dataclasses import replace

import pytest
from study import (
    BIAS,
    CALIBRATION,
    HELD_OUT,
    LEAST_SQUARES,
    NETWORKS,
    NO_REFIT,
    RECORDING,
    Study,
    begin,
    forbid,
)
from toy_localizer import toy

from fnprune_core import workflows
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation.results import open_evaluation
from fnprune_core.evaluation.rivals import evaluations_of
from fnprune_core.example import study as example_study
from fnprune_core.example.ids import find_example
from fnprune_core.export import from_workspace
from fnprune_core.plans.decision_log import read_notes
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.recording.recording import Recording
from fnprune_core.storage import folders
from fnprune_core.storage.workspace import Workspace

# Found again


def whole_path(study: Study) -> dict[str, str]:
    """Go the whole path; return every id."""
    again = begin(study.workspace, study.model)
    made = dict(zip("abc", again.plans(NO_REFIT, BIAS, LEAST_SQUARES), strict=True))
    evaluations = again.compare({"dense": None, **made})
    return {"recording": again.recording, "atlas": again.atlas, **made, **evaluations}


def test_what_is_done_is_found_and_not_done_again(study, monkeypatch) -> None:
    ids = whole_path(study)
    monkeypatch.setattr("fnprune_core.recording.record.Reader", forbid)
    monkeypatch.setattr(GroupICA, "fit", forbid)
    monkeypatch.setattr(Recording, "session", forbid)
    monkeypatch.setattr(study.model.model, "forward", forbid)
    monkeypatch.setattr(folders, "publish", forbid)
    assert whole_path(study) == ids


def test_same_inputs_same_ids_in_another_workspace(study, tmp_path) -> None:
    elsewhere = replace(study, workspace=Workspace(tmp_path / "elsewhere"))
    assert whole_path(elsewhere) == whole_path(study)


# The example


@pytest.fixture
def small_example(monkeypatch) -> None:
    """The example of the toy texts, with two networks that stand for a domain."""
    monkeypatch.setattr(workflows, "example_settings", lambda: (RECORDING, NETWORKS))
    monkeypatch.setattr(workflows, "builtin_documents", lambda: CALIBRATION)
    monkeypatch.setattr(example_study, "builtin_documents", lambda split: HELD_OUT)
    monkeypatch.setattr(example_study.ready_made, "load", lambda name: toy())
    monkeypatch.setattr(example_study, "DOMAIN", HELD_OUT[0].domain)
    monkeypatch.setattr(NetworkAtlas, "networks_of_domain", lambda atlas, domain: (1, 2))
    for name, number in (("N_WINDOWS", 4), ("N_TOKENS", 8), ("N_PERMUTATIONS", 4)):
        monkeypatch.setattr(example_study, name, number)


def test_the_example_is_made_once_and_then_found_without_a_model(study, small_example, monkeypatch):
    workspace = study.workspace
    assert find_example(workspace) is None
    made = workflows.example(workspace, study.model)
    assert (made.recording_id, made.decomposition_id) == (study.recording, study.atlas)
    monkeypatch.setattr(workflows, "load_model", forbid)
    assert workflows.example(workspace) == made == find_example(workspace)
    workspace.delete("decompositions", made.decomposition_id)
    assert find_example(workspace) is None


def test_the_example_has_what_its_pages_show_and_what_is_deleted_stays_away(study, small_example):
    workspace = study.workspace
    workflows.example(workspace, study.model)
    names = {read_notes(workspace, id).name: id for id in workspace.ids("plans")}
    own = open_plan(workspace, names[f"30 %, without {HELD_OUT[0].domain.capitalize()}"])
    assert (own.settings.preserved, own.settings.ratio) == ((0, 3), 0.3)
    assert open_plan(workspace, names["FLAP, 30 %"]).settings.score == "flap"
    assert all(len(evaluations_of(workspace, id)) == 2 for id in names.values())  # and dense
    assert len(workspace.ids("evaluations")) == 3
    assert [len(workspace.ids(kind)) for kind in ("generations", "localizers")] == [1, 1]
    workspace.delete("generations", workspace.ids("generations")[0])
    workflows.example(workspace, study.model)
    assert workspace.ids("generations") == []


def test_a_stopped_example_keeps_its_atlas_and_goes_on(study, small_example, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(example_study, "generate", forbid)
        with pytest.raises(AssertionError):
            workflows.example(study.workspace, study.model)
    found = find_example(study.workspace)
    assert found is not None
    assert not found.is_finished
    assert workflows.example(study.workspace, study.model).is_finished


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"recording_id": "../x", "decomposition_id": "a"}',
        '{"recording_id": "RECORDING", "decomposition_id": 3}',
    ],
)
def test_a_damaged_note_of_the_example_is_no_example(study, content) -> None:
    content = content.replace("RECORDING", study.recording)
    (study.workspace.root / "example.json").write_text(content)
    assert find_example(study.workspace) is None


# Files


def test_nothing_is_pickled(study, tmp_path) -> None:
    whole_path(study)
    plan = study.workspace.ids("plans")[0]
    from_workspace.export(study.workspace, study.model, plan, study.workspace.root / "out")
    files = [path for path in study.workspace.root.rglob("*") if path.is_file()]
    assert {path.suffix for path in files if path.name != ".lock"} <= {
        ".json", ".safetensors", ".parquet", ".f16", ".f4", ".f8", ".md", ".jinja",
    }  # fmt: skip
    for path in files:
        head = path.read_bytes()[:4]
        assert not head.startswith((b"\x80", b"PK", b"\x93NUM")), path
    assert len(files) > 20


# Several at once


def test_two_threads_on_one_model_get_what_each_gets_alone(begun, tmp_path) -> None:
    """Plans are made and measured at once on one shared model, as two browsers would."""
    wanted = [
        [NO_REFIT, replace(BIAS, ratio=0.5)],
        [replace(BIAS, preserved=(1, 2)), LEAST_SQUARES],
    ]

    def copy(name: str) -> Study:
        shutil.copytree(begun.workspace.root, tmp_path / name)
        return replace(begun, workspace=Workspace(tmp_path / name))

    def run(study: Study, settings: list[PlanSettings]) -> dict[str, list[float]]:
        results: dict[str, list[float]] = {}
        plans = study.plans(*settings)
        labels = {"dense": None, **dict(zip("ab", plans, strict=True))}
        for label, id in study.compare(labels, batch_size=1).items():
            nll = open_evaluation(study.workspace, id).window_nll
            results[label] = nll.tolist()
        return results

    alone = [run(copy(f"alone-{i}"), settings) for i, settings in enumerate(wanted)]
    for repeat in range(3):
        together: list[dict[str, list[float]] | None] = [None, None]
        studies = [copy(f"together-{repeat}-{i}") for i in range(2)]

        def work(i: int, studies=studies, together=together) -> None:
            together[i] = run(studies[i], wanted[i])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert together == alone


def test_two_threads_in_one_workspace_make_the_same_artifacts_once(study) -> None:
    ids: list[object] = [None, None]

    def work(i: int) -> None:
        plans = study.plans(NO_REFIT, LEAST_SQUARES)
        ids[i] = (plans, study.compare({"dense": None, "a": plans[0], "b": plans[1]}))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids[0] == ids[1] is not None
    assert len(study.workspace.ids("plans")) == 2
    assert len(study.workspace.ids("evaluations")) == 3
    assert study.workspace.unfinished() == []
