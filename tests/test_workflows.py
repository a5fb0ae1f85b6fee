import json
import shutil
import threading
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from fnprune_core import storage, workflows
from fnprune_core.atlas import network_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import (
    CorruptArtifactError,
    FingerprintMismatchError,
    NotConvergedWarning,
    OverlapError,
    PlanError,
    RatioError,
    SettingsError,
    StorageError,
)
from fnprune_core.evaluation.compare import compare, evaluate, evaluation_windows, evaluations_of
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.evaluation.results import Perplexity, open_evaluation
from fnprune_core.export import from_workspace
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import importing, planner
from fnprune_core.pruning.slicing import prune
from fnprune_core.recording import recording as recording_module
from fnprune_core.recording.record import (
    estimate_recording,
    record_texts,
    recording_bytes,
    windows_for,
)
from fnprune_core.recording.recording import Recording, RecordingSettings
from fnprune_core.storage import Workspace
from fnprune_core.texts.windows import Windows

DOCUMENTS = tiny.toy_documents(n_per_domain=4, n_words=130)
CALIBRATION = [*DOCUMENTS[:3], *DOCUMENTS[4:7]]
HELD_OUT = [DOCUMENTS[3], DOCUMENTS[7]]
RECORDING = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)
NETWORKS = GroupICA(n_components=4, n_runs=1, fun="logcosh")
BIAS = PlanSettings(ratio=0.3, sink_units=2, compensation="bias")
LEAST_SQUARES = PlanSettings(ratio=0.3, sink_units=2)
NO_REFIT = PlanSettings(ratio=0.3, sink_units=2, compensation="none")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """A tiny Llama, its recording of some texts and its atlas, in a workspace of its own."""

    workspace: Workspace
    model: LanguageModel
    recording: str
    atlas: str

    @property
    def windows(self) -> Windows:
        """The windows on which perplexity is measured."""
        return evaluation_windows(self.model, HELD_OUT, window=32)

    def plan(self, settings: PlanSettings) -> str:
        """Make a plan; return its id."""
        return planner.plan(
            self.workspace,
            self.model,
            recording_id=self.recording,
            decomposition_id=self.atlas,
            settings=settings,
        )

    def plans(self, *settings: PlanSettings, **options) -> list[str]:
        """Make several plans at once; return their ids."""
        return planner.plans(
            self.workspace,
            self.model,
            recording_id=self.recording,
            decomposition_id=self.atlas,
            settings=settings,
            **options,
        )

    def compare(self, plan_ids, **options) -> dict[str, str]:
        """Evaluate plans by label; return evaluation ids."""
        return compare(self.workspace, self.model, self.windows, plan_ids=plan_ids, **options)


def begin(workspace: Workspace, model: LanguageModel) -> Study:
    recording = record_texts(workspace, model, CALIBRATION, settings=RECORDING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        atlas = group_ica.decompose(workspace, recording, settings=NETWORKS)
    return Study(workspace=workspace, model=model, recording=recording, atlas=atlas)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Study:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    return begin(workspace, tiny.tiny_language_model("Llama"))


@pytest.fixture
def study(made, tmp_path) -> Study:
    """A study that a test may add to: a copy."""
    root = tmp_path / "workspace"
    shutil.copytree(made.workspace.root, root)
    return replace(made, workspace=Workspace(root))


def forbid(*args, **options):
    raise AssertionError("This was done before, and should be found.")


# Found again


def whole_path(study: Study) -> dict[str, str]:
    """Go the whole path; return every id."""
    again = begin(study.workspace, study.model)
    made = dict(zip("abc", again.plans(NO_REFIT, BIAS, LEAST_SQUARES), strict=True))
    evaluations = again.compare({"dense": None, **made})
    return {"recording": again.recording, "atlas": again.atlas, **made, **evaluations}


def test_what_is_done_is_found_and_not_done_again(study, monkeypatch) -> None:
    ids = whole_path(study)
    monkeypatch.setattr("fnprune_core.recording.record.signals_of", forbid)
    monkeypatch.setattr(GroupICA, "fit", forbid)
    monkeypatch.setattr(Recording, "session", forbid)
    monkeypatch.setattr(study.model.model, "forward", forbid)
    monkeypatch.setattr(storage, "new_folder", forbid)
    assert whole_path(study) == ids


def test_same_inputs_same_ids_in_another_workspace(study, tmp_path) -> None:
    elsewhere = replace(study, workspace=Workspace(tmp_path / "elsewhere"))
    assert whole_path(elsewhere) == whole_path(study)


def test_finished_work_is_found_on_a_full_disk(study, monkeypatch) -> None:
    """The space of a whole recording was once asked for even when it was there."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    model, workspace = study.model, study.workspace
    found = record_texts(workspace, model, CALIBRATION, settings=RECORDING)
    assert found == study.recording
    with pytest.raises(StorageError, match=r"needs 0\.\d MB, but .* has 0\.0 MB free"):
        record_texts(workspace, model, HELD_OUT, settings=RECORDING)
    assert workspace.unfinished() == []


def test_a_stopped_recording_needs_only_the_space_that_is_missing(tmp_path, monkeypatch) -> None:
    model, workspace = tiny.tiny_language_model("Llama"), Workspace(tmp_path)
    settings = replace(RECORDING, batch_size=1)
    cancel = CancelToken()

    def stop(event) -> None:
        if event.done == event.total - 1:
            cancel.cancel()

    def record(**options) -> str:
        return record_texts(workspace, model, CALIBRATION, settings=settings, **options)

    with pytest.raises(Cancelled):
        record(progress=stop, cancel=cancel)
    whole = recording_bytes(windows_for(model, CALIBRATION, settings), model.layout)
    free = SimpleNamespace(free=whole // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert workspace.has("recordings", record())


# Recording and decomposing


def test_an_estimate_tells_what_a_recording_takes(study) -> None:
    windows = windows_for(study.model, CALIBRATION, RECORDING)
    estimate = estimate_recording(study.model, windows, RECORDING)
    recording = recording_module.open_recording(study.workspace, study.recording)
    assert estimate.n_tokens == recording.n_tokens
    assert estimate.n_sessions == recording.n_sessions
    assert estimate.disk_bytes == recording_bytes(windows, study.model.layout)
    assert estimate.disk_bytes <= sum(
        path.stat().st_size for path in recording.folder.iterdir() if path.suffix != ".parquet"
    )
    assert 0 < estimate.seconds < 60
    assert estimate.memory_bytes > study.model.anatomy().parameter_bytes


def test_an_atlas_opens_with_the_tokens_of_its_recording(study) -> None:
    atlas = network_atlas.open_atlas(study.workspace, study.atlas[:6])
    assert atlas.id == study.atlas
    assert atlas.n_networks == 4
    assert atlas.domain_names == ("prose", "code")
    np.testing.assert_allclose(atlas.domain_share().sum(axis=1), 1)


# Plans


def test_a_plan_says_where_it_came_from(study) -> None:
    asked = replace(LEAST_SQUARES, preserved=(0, 2))
    made = open_plan(study.workspace, study.plan(asked))
    assert made.settings == asked
    assert made.preserved == (0, 2)
    assert made.n_networks == 4
    assert (made.recording_id, made.decomposition_id) == (study.recording, study.atlas)
    assert made.fingerprint == study.model.fingerprint
    assert made.n_removed == round(0.3 * 144)
    assert len(made.sink_units) == 3 * 2
    assert made.keep[list(made.sink_units)].all()
    assert len(made.thresholds) == 3


def test_the_share_of_parameters_is_what_pruning_takes_away(language_model, workspace) -> None:
    removed = tiny.ragged_removal(language_model.layout)
    pruned = prune(language_model, tiny.toy_plan(language_model, removed))
    before, after = (
        sum(p.numel() for p in model.parameters()) for model in (language_model.model, pruned)
    )
    share = planner.share_of_parameters(language_model, removed)
    assert share == pytest.approx(1 - after / before)


def test_plans_at_once_are_those_made_one_by_one(study, tmp_path) -> None:
    wanted = [
        replace(settings, score=score, preserved=preserved)
        for score, preserved in (("network-energy", (0, 1)), ("network-energy", (2,)),
                                 ("network-membership", None), ("network-membership", (2,)),
                                 ("flap", None), ("flap", None), ("flap-published", None))
        for settings in (NO_REFIT, BIAS, LEAST_SQUARES)
    ]  # fmt: skip
    together = study.plans(*wanted)
    root = tmp_path / "alone"
    shutil.copytree(study.workspace.root, root, ignore=shutil.ignore_patterns("plans"))
    alone = replace(study, workspace=Workspace(root))
    assert [alone.plan(settings) for settings in wanted] == together
    for id in set(together):
        keys = [
            w.existing("plans", id) / "manifest.json" for w in (study.workspace, alone.workspace)
        ]
        a, b = (json.loads(path.read_text()) for path in keys)
        assert a["cut_key"] == b["cut_key"]


def test_all_networks_and_none_named_are_the_same_plan(study) -> None:
    assert study.plan(replace(BIAS, preserved=(0, 1, 2, 3))) == study.plan(BIAS)
    assert study.plan(replace(BIAS, preserved=(0, 1, 2))) != study.plan(BIAS)


def test_with_all_networks_energy_and_flap_are_one_cut(study) -> None:
    energy, flap = study.plans(LEAST_SQUARES, replace(LEAST_SQUARES, score="flap"))
    assert energy != flap
    plans = [open_plan(study.workspace, id) for id in (energy, flap)]
    assert plans[0].removal_key() == plans[1].removal_key()
    ids = study.compare({"energy": energy, "flap": flap})
    assert ids["energy"] == ids["flap"]


def test_baselines_need_no_decomposition(study) -> None:
    settings = [replace(BIAS, score=s) for s in ("flap", "wanda", "magnitude", "random")]
    bare = replace(study, atlas=None)
    assert bare.plans(*settings) == study.plans(*settings)
    with pytest.raises(SettingsError, match="there is no decomposition"):
        bare.plan(BIAS)


def test_removing_nothing_keeps_everything(study) -> None:
    for settings in (NO_REFIT, BIAS, LEAST_SQUARES):
        made = open_plan(study.workspace, study.plan(replace(settings, ratio=0.0)))
        assert made.keep.all()
    ids = study.compare({"dense": None, "plan": study.plan(replace(LEAST_SQUARES, ratio=0.0))})
    dense, plan = (open_evaluation(study.workspace, id) for id in ids.values())
    np.testing.assert_array_equal(plan.window_nll, dense.window_nll)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (replace(BIAS, preserved=(0, 4)), SettingsError, "no network 4: they run from 0 to 3"),
        (replace(BIAS, score="entropy"), SettingsError, "no score 'entropy'"),
        (replace(BIAS, compensation="magic"), SettingsError, "no compensation 'magic'"),
        (replace(BIAS, ratio=0.99), RatioError, "at most 0.95"),
    ],
)
def test_plans_that_cannot_be_made_are_refused(study, settings, error, message) -> None:
    with pytest.raises(error, match=message):
        study.plan(settings)
    assert study.workspace.ids("plans") == []


def test_a_decomposition_of_another_recording_is_refused(study) -> None:
    other = record_texts(study.workspace, study.model, HELD_OUT, settings=RECORDING)
    with pytest.raises(PlanError, match=f"made from recording {study.recording}, not {other}"):
        replace(study, recording=other).plan(BIAS)


def test_what_belongs_to_another_model_is_refused(study, tmp_path) -> None:
    plan = study.plan(BIAS)
    other = replace(study, model=tiny.tiny_language_model("Llama", seed=1))
    folder = study.workspace.existing("plans", plan)
    attempts = {
        "recording": lambda: other.plan(BIAS),
        "plan": lambda: other.compare({"plan": plan}),
        "plan ": lambda: importing.import_plan(other.workspace, other.model, folder),
        "plan  ": lambda: from_workspace.export(other.workspace, other.model, plan, tmp_path / "x"),
    }
    for what, attempt in attempts.items():
        with pytest.raises(FingerprintMismatchError, match=f"This {what.strip()} was made for a"):
            attempt()
    assert not (tmp_path / "x").exists()


def test_planning_stops_when_asked_and_leaves_no_half_plan(study) -> None:
    for stage in ("moments", "compensation"):
        cancel = CancelToken()

        def stop(event, stage=stage, cancel=cancel) -> None:
            if event.stage == stage:
                cancel.cancel()

        with pytest.raises(Cancelled):
            study.plans(LEAST_SQUARES, progress=stop, cancel=cancel)
        assert study.workspace.ids("plans") == []
        assert study.workspace.unfinished() == []


# Comparing


def test_a_comparison_measures_what_is_silenced(study) -> None:
    plans = dict(zip("abc", study.plans(NO_REFIT, BIAS, LEAST_SQUARES), strict=True))
    ids = study.compare({"dense": None, **plans})
    dense = open_evaluation(study.workspace, ids["dense"])
    np.testing.assert_allclose(
        dense.window_nll, perplexity(study.model.model, study.windows).window_nll, rtol=1e-6
    )
    for label, id in plans.items():
        made = open_plan(study.workspace, id)
        refits = stored_plan(study.workspace, id).refits()
        expected = perplexity(
            study.model.model,
            study.windows,
            context=lambda made=made, refits=refits: silenced(
                study.model, made.removed, refits=refits
            ),
        )
        found = open_evaluation(study.workspace, ids[label])
        np.testing.assert_allclose(found.window_nll, expected.window_nll, rtol=1e-6)
        assert not np.allclose(found.window_nll, dense.window_nll, rtol=1e-3)


def test_all_lines_of_a_comparison_grow_together(study) -> None:
    plans = dict(zip("ab", study.plans(NO_REFIT, BIAS), strict=True))
    told: list[tuple[str, int]] = []
    study.compare(
        {"dense": None, **plans},
        batch_size=2,
        on_partial=lambda label, result: told.append((label, len(result.window_nll))),
    )
    n = study.windows.n_windows
    assert n == 8
    assert told == [(label, i) for i in (2, 4, 6, 8) for label in ("dense", "a", "b")]


def test_the_same_cut_under_two_names_is_measured_once(study, monkeypatch) -> None:
    energy, flap = study.plans(BIAS, replace(BIAS, score="flap"))
    forward, calls = study.model.model.forward, []
    monkeypatch.setattr(
        study.model.model, "forward", lambda *a, **o: calls.append(1) or forward(*a, **o)
    )
    told: dict[str, Perplexity] = {}
    study.compare({"a": energy, "b": flap, "c": energy}, on_partial=told.__setitem__)
    assert len(calls) == 2  # 8 windows in batches of 4
    assert told["a"] is told["b"] is told["c"]
    assert told["a"].is_complete


def test_what_was_measured_is_told_once_and_whole(study) -> None:
    study.compare({"dense": None})
    plan = study.plan(BIAS)
    told: list[tuple[str, int]] = []
    study.compare(
        {"dense": None, "plan": plan},
        on_partial=lambda label, result: told.append((label, len(result.window_nll))),
    )
    assert told == [("dense", 8), ("plan", 4), ("plan", 8)]


def test_the_calibration_text_is_refused_for_evaluation(study) -> None:
    plan = study.plan(BIAS)
    mixed = evaluation_windows(study.model, [*HELD_OUT, CALIBRATION[1]], window=64)
    with pytest.raises(OverlapError, match=r"run of 50 tokens .*in 'prose-1'.*not be a result"):
        evaluate(study.workspace, study.model, mixed, plan_id=plan)
    assert study.workspace.ids("evaluations") == []
    evaluate(study.workspace, study.model, mixed)  # the dense model read nothing before


def test_a_result_says_whether_overlap_could_be_checked(study) -> None:
    plan = study.plan(BIAS)
    checked = study.compare({"plan": plan})["plan"]
    study.workspace.delete("evaluations", checked)
    study.workspace.delete("recordings", study.recording)
    unchecked = study.compare({"plan": plan})["plan"]
    assert unchecked == checked
    manifest = storage.read_manifest(study.workspace.folder("evaluations", unchecked))
    assert manifest["is_overlap_checked"] is False


def test_a_comparison_that_is_stopped_keeps_what_is_whole(study) -> None:
    plan = study.plan(BIAS)
    cancel = CancelToken()

    def stop(label: str, result: Perplexity) -> None:
        if label == "dense" and result.is_complete:
            cancel.cancel()

    with pytest.raises(Cancelled):
        study.compare({"dense": None, "plan": plan}, on_partial=stop, cancel=cancel)
    assert [e.manifest["plan_id"] for e in study.workspace.entries("evaluations")] == [""]
    assert len(study.workspace.unfinished()) == 1  # what was read of the plan
    assert not study.model.model.model.layers[0].mlp.down_proj._forward_pre_hooks


def test_an_evaluation_alone_is_that_of_a_comparison(study) -> None:
    plan = study.plan(BIAS)
    told: list[Perplexity] = []
    alone = evaluate(
        study.workspace, study.model, study.windows, plan_id=plan, on_partial=told.append
    )
    assert [len(each.window_nll) for each in told] == [4, 8]
    assert study.compare({"x": plan})["x"] == alone


# Plans from elsewhere


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


def test_a_layout_of_another_model_is_refused(study, elsewhere) -> None:
    folder = elsewhere(NO_REFIT, widths=[60, 48, 48])
    with pytest.raises(PlanError, match=r"60, 48, 48.*48, 48, 48"):
        import_into(study, folder)


def test_a_plan_that_can_be_compensated_nowhere_is_refused(study, elsewhere) -> None:
    folder = elsewhere(BIAS, refits=False, recording_id="../gone")
    with pytest.raises(PlanError, match=r"asks for compensation 'bias'.*Give the plan's whole"):
        import_into(study, folder)


def test_a_plan_without_its_recording_needs_refits_beside_it(study, elsewhere) -> None:
    folder = elsewhere(BIAS)
    study.workspace.delete("recordings", study.recording)
    id = import_into(study, folder)
    assert study.compare({"": id})[""]


def test_damaged_refits_are_told(study) -> None:
    id = study.plan(BIAS)
    path = study.workspace.existing("plans", id) / "refits.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(CorruptArtifactError, match=r"refits\.safetensors is missing or damaged"):
        stored_plan(study.workspace, id).refits()


# Export


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
        assert f"{value:.2f} ±" in card
    assert PruningPlan.read(folder).removal_key() == made.removal_key()


def test_a_plan_that_was_not_measured_has_no_evaluations(study) -> None:
    study.compare({"dense": None})
    assert evaluations_of(study.workspace, study.plan(BIAS)) == {}


def test_a_bias_without_a_home_is_told_before_apply(language_model) -> None:
    has_home = language_model.architecture.bias_home != "none"
    for settings in (BIAS, replace(LEAST_SQUARES, intercept=True)):
        warning = planner.bias_warning(language_model, settings)
        assert (warning == "") == has_home
    for settings in (NO_REFIT, LEAST_SQUARES):
        assert planner.bias_warning(language_model, settings) == ""


# The example


def test_the_example_is_made_once_and_then_found_without_a_model(study, monkeypatch) -> None:
    settings = (RECORDING, NETWORKS)
    monkeypatch.setattr(workflows, "example_settings", lambda: settings)
    monkeypatch.setattr(workflows, "builtin_documents", lambda: CALIBRATION)
    assert workflows.find_example(study.workspace) is None
    made = workflows.example(study.workspace, study.model)
    assert (made.recording_id, made.decomposition_id) == (study.recording, study.atlas)
    monkeypatch.setattr(workflows, "load_model", forbid)
    assert workflows.example(study.workspace) == made == workflows.find_example(study.workspace)
    study.workspace.delete("decompositions", made.decomposition_id)
    assert workflows.find_example(study.workspace) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "\x00",
        '{"recording_id": "a"}',
        '{"recording_id": "../x", "decomposition_id": "a"}',
        '{"recording_id": "RECORDING", "decomposition_id": 3}',
    ],
)
def test_a_damaged_note_of_the_example_is_no_example(study, content) -> None:
    content = content.replace("RECORDING", study.recording)
    (study.workspace.root / "example.json").write_text(content)
    assert workflows.find_example(study.workspace) is None


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


def test_two_threads_on_one_model_get_what_each_gets_alone(made, tmp_path) -> None:
    """Plans are made and measured at once on one shared model, as two browsers would."""
    wanted = [
        [NO_REFIT, replace(BIAS, ratio=0.5)],
        [replace(BIAS, preserved=(1, 2)), LEAST_SQUARES],
    ]

    def copy(name: str) -> Study:
        shutil.copytree(made.workspace.root, tmp_path / name)
        return replace(made, workspace=Workspace(tmp_path / name))

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
