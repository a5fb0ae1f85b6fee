import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import tiny
from study import BIAS, HELD_OUT, LEAST_SQUARES, NO_REFIT, RECORDING

from fnprune_core.errors import FingerprintMismatchError, PlanError, RatioError, SettingsError
from fnprune_core.evaluation.generation import Prompt
from fnprune_core.evaluation.results import open_evaluation
from fnprune_core.evaluation.side_by_side import generate
from fnprune_core.export import from_workspace
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import importing, planner
from fnprune_core.pruning.planner import canonical_settings, plan
from fnprune_core.pruning.slicing import prune
from fnprune_core.recording.record import record_texts
from fnprune_core.scores.units import SCORES
from fnprune_core.storage.json_files import canonical_json
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace


def test_a_plan_follows_pins_and_reads_again(workspace, llama, recording):
    def make(**pins):
        settings = PlanSettings(score="flap", ratio=0.3, sink_units=2, **pins)
        id = plan(workspace, llama, recording_id=recording.id, settings=settings)
        return id, PruningPlan.read(workspace.folder("plans", id))

    _, free = make()
    sink, gone = free.sink_units[0], int(np.flatnonzero(~free.keep)[0])
    id, made = make(pinned_keep=(gone,), pinned_remove=(sink,))
    assert made.keep[gone]
    assert not made.keep[sink]
    assert made.n_removed == free.n_removed
    assert sink not in made.sink_units
    assert PruningPlan.from_json(made.to_json()).settings == made.settings
    assert make(pinned_keep=(gone,), pinned_remove=(sink,))[0] == id
    with pytest.raises(SettingsError, match="Unit 144 is pinned"):
        make(pinned_keep=(144,))


def test_plans_that_mean_what_they_meant_are_written_as_before(workspace, llama, recording):
    """Ids are hashes of the settings: a new one, left alone, must not change them."""
    settings = PlanSettings(score="flap-published")
    before = {
        "score": "flap-published", "ratio": 0.2, "allocation": "global",
        "compensation": "bias", "intercept": False, "sink_units": 0,
        "preserved": None, "seed": 0, "multiple": None,
    }  # fmt: skip
    assert canonical_json(canonical_settings(settings).to_json()) == canonical_json(before)
    inputs = {
        "fingerprint": llama.fingerprint,
        "recording_id": recording.id,
        "decomposition_id": "",
        "settings": before,
    }
    id = plan(workspace, llama, recording_id=recording.id, settings=settings)
    assert id == artifact_id("plans", inputs)
    value = PruningPlan.read(workspace.folder("plans", id)).to_json()
    assert value["settings"] == before
    assert PruningPlan.from_json(value).settings.pinned_keep == ()
    assert not {"removed_groups", "group_counts"} & set(value)


def test_a_score_that_came_to_mean_another_makes_other_plans(workspace, llama, recording):
    """A plan of before says so; its compensation comes out as it was, without first tokens."""
    settings = PlanSettings(score="flap", compensation="bias", sink_units=0, ratio=0.3)
    id = plan(workspace, llama, recording_id=recording.id, settings=settings)
    value = PruningPlan.read(workspace.folder("plans", id)).to_json()
    assert value["settings"].pop("score_version") == SCORES["flap"].version == 2
    old = PruningPlan.from_json(value)
    assert old.settings.score_version == 1
    x = np.concatenate([recording.session(i, layer=1) for i in range(recording.n_sessions)])
    weight = weight_of(output_projections(llama.model, llama.architecture)[1]).detach().numpy()
    gone = old.removed[1]
    for made, tokens in ((old, ~recording.is_dummy), (open_plan(workspace, id), slice(None))):
        bias = planner.recomputed_refits(workspace, llama, made)[1].bias
        expected = weight[:, gone] @ x[tokens][:, gone].mean(axis=0)
        np.testing.assert_allclose(bias, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SCORES)
def test_settings_that_a_score_fixes_or_does_not_look_at_make_no_other_plan(name) -> None:
    """A method as published brings its own parts; other scores take the plan's."""
    row, plain = SCORES[name], canonical_settings(PlanSettings(score=name))
    asked = PlanSettings(
        score=name, allocation="weighted", layer_weights=(1.0, 0.5), sink_units=7, intercept=True,
        compensation="reconstruct",
    )  # fmt: skip
    fixed = canonical_settings(asked)
    if row.fixes:
        assert row.fixes.items() <= asdict(fixed).items()
        assert fixed.sink_units == 0
        assert fixed == plain
    else:
        assert (fixed.allocation, fixed.layer_weights, fixed.sink_units) == (
            "weighted", (1.0, 0.5), 7,
        )  # fmt: skip
        assert plain.sink_units == row.sink_units
    preserved, seeded, intercept = (
        canonical_settings(PlanSettings(score=name, **changes))
        for changes in ({"preserved": (1, 2)}, {"seed": 5}, {"compensation": "bias"})
    )
    assert (preserved == plain) == (not row.uses_networks)
    assert (seeded == plain) == (not row.is_drawn)
    biased = PlanSettings(score=name, compensation="bias", intercept=True)
    assert canonical_settings(biased) == intercept


def test_a_plan_says_where_it_came_from(study) -> None:
    asked = replace(LEAST_SQUARES, preserved=(0, 2))
    made = open_plan(study.workspace, study.plan(asked))
    assert made.settings == canonical_settings(asked)
    assert study.plan(replace(asked, preserved=(0, 1, 2, 3))) == study.plan(LEAST_SQUARES)
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
        "plan   ": lambda: generate(other.workspace, other.model, plan, Prompt(text="aq ar")),
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


def test_a_bias_without_a_home_is_told_before_apply(language_model) -> None:
    has_home = language_model.architecture.bias_home != "none"
    for settings in (BIAS, replace(LEAST_SQUARES, intercept=True)):
        warning = planner.bias_warning(language_model, settings)
        assert (warning == "") == has_home
    for settings in (NO_REFIT, LEAST_SQUARES):
        assert planner.bias_warning(language_model, settings) == ""
    attention = language_model.architecture.attention
    told = planner.bias_warning(language_model, BIAS.with_(attention_ratio=0.34))
    assert ("hidden size over heads" in told) == (not attention.has_head_size)
    assert ("attention's output" in told) == (attention.bias_home == "none")
