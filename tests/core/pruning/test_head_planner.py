"""Which KV groups go: allocation, compensation, and plans that carry them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from attention_inputs import inputs_of, outputs_of
from typer.testing import CliRunner

from fnprune_core.cli import cli
from fnprune_core.errors import PlanError, RatioError
from fnprune_core.evaluation import compare, results
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import silenced, without_refit
from fnprune_core.plans import files
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning import compensation, importing
from fnprune_core.pruning.head_planner import AttentionPlanner, lowest_groups
from fnprune_core.pruning.planner import plan
from fnprune_core.pruning.slicing import prune
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES

IDS = tiny.random_ids()
PLAN = PlanSettings(score="flap", ratio=0.0, attention_ratio=0.34, sink_units=0)


# Statistics and scores


@pytest.mark.parametrize("name", SCORES)
def test_each_score_ranks_groups_of_any_kind_of_attention(name, record_windows, atlas, recording):
    for family in ("Llama", "GPT-NeoX", "GPT-2"):
        language_model = tiny.tiny_language_model(family)
        if family == "Llama":
            inputs = RecordedInputs(
                language_model=language_model, recording=recording, atlas=atlas,
                preserved=(0, 1),
            )  # fmt: skip
        elif SCORES[name].uses_networks:
            continue
        else:
            inputs = RecordedInputs(
                language_model=language_model, recording=record_windows(language_model)
            )
        planner = AttentionPlanner(language_model=language_model)
        settings = PLAN.with_(score=name, allocation="uniform")
        removed = planner.choose(settings, inputs, SCORES[name].token_weights(inputs))
        assert sum(map(len, removed)) == round(0.34 * language_model.attention.groups.n_units)


# Allocation


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_the_weakest_groups_of_the_layers_that_need_theirs_least_go(llama, allocation):
    scores = np.array([1.0, 9.0, 40.0, 60.0, 3.0, 1.0])  # shares of the weakest: .1, .4, .25
    settings = PLAN.with_(allocation=allocation, attention_ratio=2 / 6)
    removed = lowest_groups(scores, llama.attention, settings)
    if allocation != "global":  # z of two scores is ±1
        assert [part.tolist() for part in removed] == [[0], [], [1]]
    whole = lowest_groups(scores, llama.attention, settings.with_(attention_ratio=0.5))
    assert [part.tolist() for part in whole] == [[0], [0], [1]]
    if allocation == "uniform":  # with a multiple, as many go from every layer
        many = lowest_groups(scores, llama.attention, settings.with_(multiple=8))
        assert [len(part) for part in many] == [0, 0, 0]
    with pytest.raises(RatioError, match=r"at most 0\.500 of all KV groups can go"):
        lowest_groups(scores, llama.attention, settings.with_(attention_ratio=0.7))


# Compensation


@pytest.mark.parametrize("family", ["Llama", "GPT-2"])
def test_compensation_makes_up_for_the_groups(family, record_windows, monkeypatch):
    """Bias restores the mean output; squared error: least squares ≤ bias ≤ none (no ridge)."""
    monkeypatch.setattr(compensation, "RIDGE", 0.0)
    language_model = tiny.tiny_language_model(family)
    recording = record_windows(language_model, tiny.toy_windows(n_dummy_tokens=0))
    inputs = RecordedInputs(language_model=language_model, recording=recording)
    planner = AttentionPlanner(language_model=language_model)
    ones = np.ones(recording.n_tokens)
    made = replace(
        tiny.toy_plan(language_model),
        removed_groups=tuple(np.array(part, dtype=np.int64) for part in ([], [1], [0])),
        group_counts=language_model.attention.groups.widths,
    )
    errors = {}
    for name in ("none", "bias", "least-squares"):
        settings = PlanSettings(compensation=name, intercept=name == "least-squares")
        cuts = planner.cuts(replace(made, settings=settings), inputs, ones)
        assert cuts[0].columns is None
        assert cuts[0].bias is None
        for layer in (1, 2):
            x = inputs_of(language_model, recording.windows)[layer]
            weight = weight_of(outputs_of(language_model)[layer]).detach().double().numpy()
            gone = language_model.attention.dimensions(made.removed_groups[layer])
            kept = np.setdiff1d(np.arange(32), gone)
            cut = cuts[layer]
            columns = weight[:, kept] if cut.columns is None else cut.columns.double().numpy()
            bias = 0 if cut.bias is None else cut.bias.double().numpy()
            change = x[:, kept] @ columns.T + bias - x @ weight.T
            errors[name, layer] = np.square(change).sum()
            if name != "none":
                np.testing.assert_allclose(change.mean(axis=0), 0, atol=1e-4)
    for layer in (1, 2):
        assert errors["least-squares", layer] < errors["bias", layer] < errors["none", layer]


# Plans


@pytest.fixture
def planned(workspace, record_windows):
    """Make a plan of a model that reads the toy windows: ``planned(model, settings)``."""

    def make(language_model, settings):
        recording = record_windows(language_model)
        id = plan(workspace, language_model, recording_id=recording.id, settings=settings)
        return id, files.open_plan(workspace, id), files.stored_plan(workspace, id).refits()

    return make


def test_a_plan_of_each_family_is_cut_as_it_is_silenced(language_model, planned):
    settings = PLAN.with_(ratio=0.2, compensation="least-squares", allocation="uniform")
    _, made, refits = planned(language_model, settings)
    assert made.n_removed_groups == round(0.34 * language_model.attention.groups.n_units)
    with silenced(language_model, made.removed, refits=refits):
        expected = tiny.logits_of(language_model.model, IDS)
    pruned = prune(language_model, made, refits=refits)
    torch.testing.assert_close(tiny.logits_of(pruned, IDS), expected, rtol=1e-4, atol=1e-4)
    gone = language_model.model.num_parameters() - pruned.num_parameters()
    assert made.share_of_parameters * language_model.model.num_parameters() == pytest.approx(gone)
    bare = without_refit(3, made.removed_groups)
    with silenced(language_model, made.removed, refits=bare):
        assert (tiny.logits_of(language_model.model, IDS) - expected).abs().max() > 1e-3


def test_a_comparison_measures_the_heads_that_go(llama, planned, workspace):
    """Plans that differ in their KV groups alone are other cuts, found and measured apart."""
    ids = {
        name: planned(llama, PLAN.with_(score=name, compensation="none"))[0]
        for name in ("flap", "wanda", "random", "magnitude", "taylor")
    }
    windows = tiny.toy_windows(seed=7)
    measured = compare.compare(workspace, llama, windows, plan_ids={"dense": None, **ids})
    cuts = {json.dumps(files.open_plan(workspace, i).to_json()["removed_groups"]): i
            for i in ids.values()}  # fmt: skip
    assert len(cuts) > 1
    assert len({measured[name] for name in ids}) == len(cuts)
    made = files.open_plan(workspace, ids["flap"])

    def context():
        return silenced(llama, made.removed, refits=without_refit(3, made.removed_groups))

    *_, expected = perplexity_stream(llama.model, windows, batch_size=4, context=context)
    found = results.open_evaluation(workspace, measured["flap"])
    np.testing.assert_allclose(found.window_nll, expected.window_nll)
    dense = results.open_evaluation(workspace, measured["dense"])
    assert not np.allclose(found.window_nll, dense.window_nll, rtol=1e-4)


@pytest.mark.parametrize("name", ["none", "bias", "least-squares"])
def test_a_plan_comes_back_from_its_files(llama, planned, workspace, tmp_path, name):
    """With its compensation beside it, and computed again without."""
    id, made, refits = planned(llama, PLAN.with_(ratio=0.2, compensation=name))
    again = PruningPlan.from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json()
    assert again.removal_key() == made.removal_key()
    assert replace(made, removed_groups=(), group_counts=()).removal_key() != made.removal_key()
    for is_whole in (True, False):
        folder = tmp_path / str(is_whole)
        shutil.copytree(workspace.folder("plans", id), folder)
        if not is_whole:
            (folder / "refits.safetensors").unlink()
        taken = importing.import_plan(workspace, llama, folder)
        found = files.stored_plan(workspace, taken).refits()
        for a, b in zip(refits, found, strict=True):
            np.testing.assert_array_equal(a.attention.removed, b.attention.removed)
            for x, y in ((a.attention.columns, b.attention.columns),
                         (a.attention.bias, b.attention.bias)):  # fmt: skip
                assert (x is None) == (y is None)
                assert x is None or torch.equal(x, y)


def test_files_for_other_heads_are_refused(llama, planned, workspace, tmp_path):
    id, made, _ = planned(llama, PLAN)
    value = made.to_json()
    for change, message in (
        ({"group_counts": [4, 4, 4]}, "KV groups, tiny-Llama has 2, 2, 2"),
        ({"removed_groups": [[0, 1], [], []]}, "empty layer 0 of attention"),
        ({"removed_groups": [[2], [], []]}, "does not fit its own layout"),
        ({"removed_groups": [[], [], []]}, "the refitted attention.columns are of shape"),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(workspace.folder("plans", id), folder)
        (folder / "plan.json").write_text(json.dumps({**value, **change}))
        with pytest.raises(PlanError, match=message):
            importing.import_plan(workspace, llama, folder)


def test_the_command_takes_a_share_of_attention_and_pins(llama, recording, workspace, tmp_path):
    llama.model.save_pretrained(tmp_path / "model")
    llama.tokenizer.save_pretrained(tmp_path / "model")
    words = [
        "plan", recording.id, "--score", "flap", "--sink-units", "0", "--attention-ratio", "0.34",
        "--keep-units", "0:1", "--remove-units", "1:2, 2:47", "--json",
        "--model", str(tmp_path / "model"), "--workspace", str(workspace.root),
    ]  # fmt: skip
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    made = files.open_plan(workspace, told["id"])
    assert told["attention_ratio"] == made.achieved_attention_ratio == 2 / 6
    assert sum(told["kept_groups"]) == 4
    assert (told["pinned_keep"], told["pinned_remove"]) == (1, 2)
    assert made.settings.pinned_keep == (1,)
    assert 2 in made.removed[1]
    assert 47 in made.removed[2]
