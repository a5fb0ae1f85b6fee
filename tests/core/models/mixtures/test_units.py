"""Mixtures of experts: all units of a layer, wherever a token is routed."""

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from small import small_model

from fnprune_core.export.export import export_model
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.mixtures.places import UNITS
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.compensation import RIDGE, Cut, compensate, ridge_for
from fnprune_core.pruning.planner import share_of_parameters
from fnprune_core.pruning.slicing import mask, prune, slice_per_layer, slice_uniformly
from fnprune_core.recording.record import record, signals_of
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.workspace import Workspace

#: What is unlike Mixtral's in each, and how many units its layers have.
KINDS = {
    "mixtral": ("one module of experts", (384, 384, 384)),
    "qwen3_moe": ("a width of experts of its own", (128, 128, 128)),
    "olmoe": ("norms of queries and keys", (384, 384, 384)),
    "gpt_oss": ("biases, gate and up interleaved, transposed", (384, 384, 384)),
    "deepseek_v3": ("a dense first layer, shared experts, groups", (96, 160, 160)),
    "granitemoe": ("multiplied residual stream", (384, 384, 384)),
    "qwen2_moe": ("a shared expert with a gate of its own", (160, 160, 160)),
    "deepseek_v4": ("routers that choose an expert twice", (160, 160, 160)),
    "llama4_text": ("experts that read weighted tokens", (480, 480, 480)),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def plan_for(model: LanguageModel, *, settings: PlanSettings | None = None) -> PruningPlan:
    """Return a plan that removes the same share of every expert, by random scores."""
    settings = settings or PlanSettings(score="flap", ratio=0.4, allocation="uniform", multiple=8)
    scores = np.random.default_rng(0).random(model.layout.n_units)
    removed = choose_units(scores, settings, layout=model.layout).removed
    return tiny.toy_plan(model, removed, settings=settings)


@each_kind
def test_silencing_is_pruning_and_exports_load(kind, tmp_path):
    model, ids = small_model(kind), tiny.random_ids()
    assert model.layout.widths == KINDS[kind][1]
    dense = tiny.logits_of(model.model, ids)
    plan = plan_for(model)
    with silenced(model, plan.removed):
        expected = tiny.logits_of(model.model, ids)
    assert (expected - dense).abs().max() > 1e-2
    assert torch.equal(tiny.logits_of(model.model, ids), dense)
    n_dense = sum(p.numel() for p in model.model.parameters())
    share = share_of_parameters(model, plan.removed)
    for build in (prune, mask, slice_uniformly, slice_per_layer):
        built = build(model, plan)
        if build is slice_uniformly:
            assert built.num_parameters() == n_dense - round(share * n_dense)
        if build is not prune:
            built.save_pretrained(tmp_path / build.__name__)
            built = type(built).from_pretrained(tmp_path / build.__name__, dtype=torch.float32)
            assert not any(name.endswith(UNITS) for name, _ in built.named_modules())
        logits = tiny.logits_of(built.eval(), ids)
        torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4)


@each_kind
def test_a_whole_expert_and_uneven_units_go(kind):
    model, ids = small_model(kind), tiny.random_ids()
    removed = []
    for layer, width in enumerate(model.layout.widths):
        units = np.arange(width)
        first = model.layout.experts_of(layer)[0].stop
        goes = (units % 7 == 0) | ((units < first) if first < width else False)
        removed.append(units[goes])
    plan = tiny.toy_plan(model, removed)
    with silenced(model, plan.removed):
        expected = tiny.logits_of(model.model, ids)
    for build in (prune, mask, slice_uniformly):
        torch.testing.assert_close(
            tiny.logits_of(build(model, plan), ids), expected, rtol=1e-3, atol=1e-4
        )
    kept_all = tiny.toy_plan(model, [np.array([], dtype=np.int64)] * model.layout.n_layers)
    dense = tiny.logits_of(model.model, ids)
    assert torch.equal(tiny.logits_of(prune(model, kept_all), ids), dense)
    with silenced(model, kept_all.removed):
        torch.testing.assert_close(tiny.logits_of(model.model, ids), dense, rtol=1e-4, atol=1e-5)


def test_a_shared_expert_of_square_matrices_is_told_by_name():
    model, ids = small_model("ernie4_5_moe"), tiny.random_ids()  # (64, 64) each
    mixture = model.architecture.mixture
    assert mixture is not None
    assert [shared.output for shared in mixture.shared] == ["shared_experts.down_proj"]
    assert model.layout.widths == (96, 2112, 2112)  # 64 experts of 32, and 64 units
    plan = plan_for(model)
    with silenced(model, plan.removed):
        expected = tiny.logits_of(model.model, ids)
    for build in (prune, mask, slice_uniformly):
        torch.testing.assert_close(
            tiny.logits_of(build(model, plan), ids), expected, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("kind", ["mixtral", "gpt_oss", "deepseek_v3"])
def test_activations_are_those_of_a_plain_loop(kind):
    model, ids = small_model(kind), tiny.random_ids()
    layer = model.model.model.layers[2]
    experts, calls = layer.mlp.experts, []
    handle = experts.register_forward_pre_hook(lambda _, args: calls.append(args))
    tiny.logits_of(model.model, ids)
    handle.remove()
    [(hidden, chosen, weights)] = calls
    width = experts.down_proj.shape[1 if kind == "gpt_oss" else 2]
    expected = torch.zeros(len(hidden), 4 * width)
    with torch.no_grad():
        for token, state in enumerate(hidden):
            for expert, weight in zip(chosen[token].tolist(), weights[token], strict=True):
                if kind == "gpt_oss":
                    fed = state @ experts.gate_up_proj[expert] + experts.gate_up_proj_bias[expert]
                    gate, up = fed[::2].clamp(max=7), fed[1::2].clamp(-7, 7)
                    activation = (up + 1) * gate * torch.sigmoid(1.702 * gate)
                else:
                    fed = experts.gate_up_proj[expert] @ state
                    activation = torch.nn.functional.silu(fed[:width]) * fed[width:]
                expected[token, expert * width : (expert + 1) * width] = weight * activation
    units = model.layout.layer_slice(2)
    signals = signals_of(model, ids)[0][..., units]
    found = torch.from_numpy(signals.reshape(len(hidden), -1))
    torch.testing.assert_close(found[:, : 4 * width], expected, rtol=1e-4, atol=1e-5)
    assert (found[:, 4 * width :] != 0).all()  # a shared expert reads every token


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguageModel, Path, str]:
    model = small_model("qwen3_moe")
    folder = tmp_path_factory.mktemp("mixture")
    id = record(Workspace(folder), model, tiny.toy_windows(), settings=RecordingSettings())
    return model, folder, id


def test_a_recording_knows_which_tokens_experts_saw(recorded):
    model, folder, id = recorded
    recording = open_recording(Workspace(folder), id)
    assert recording.layout.expert_sizes == model.layout.expert_sizes == ((32,) * 4,) * 3
    signals = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    for layer in range(3):
        shares = recording.expert_shares(layer)
        assert shares.sum() == pytest.approx(2)  # two of four read each token
        own = signals[:, recording.layout.layer_slice(layer)]
        seen = [(own[:, units] != 0).any(axis=1).mean() for units in model.layout.experts_of(layer)]
        np.testing.assert_allclose(shares, seen)
    routing = recording.routing()
    assert len(routing) == 12
    assert routing.groupby("layer")["share"].sum().tolist() == pytest.approx([2, 2, 2])


def test_refits_are_of_each_expert_and_better_than_none(recorded):
    model, folder, id = recorded
    recording = open_recording(Workspace(folder), id)
    plan = plan_for(model, settings=PlanSettings(score="flap", ratio=0.3, allocation="uniform"))
    cut = Cut(removed=plan.removed, compensation="least-squares")
    weights = np.ones(recording.n_tokens)
    [refits] = compensate(model, recording, [cut], weights=weights)
    signals = np.concatenate([recording.session(i, layer=1) for i in range(recording.n_sessions)])
    columns = getattr(model.model.model.layers[1].mlp, UNITS).stacked_weight().detach().numpy()
    kept = plan.kept[1]
    wanted = signals @ columns.T
    lost = np.square(wanted - signals[:, kept] @ columns[:, kept].T).sum()
    refitted = np.square(wanted - signals[:, kept] @ refits[1].columns.numpy().T).sum()
    assert refitted < 0.95 * lost
    assert ridge_for(recording, 1, model.layout.experts_of(1)[0]) > RIDGE  # few tokens a unit
    with silenced(model, plan.removed, refits=refits):
        expected = tiny.logits_of(model.model, tiny.random_ids())
    pruned = tiny.logits_of(prune(model, plan, refits=refits), tiny.random_ids())
    torch.testing.assert_close(pruned, expected, rtol=1e-3, atol=1e-4)


def test_a_token_is_multiplied_with_the_experts_that_it_sees():
    model = small_model("qwen3_moe")
    dimensions = Dimensions.of(model)
    dense = dimensions.footprint([0] * 3, context=0).macs_per_token
    # Two of four experts, of 32 units with a column and two rows of 64.
    rest = sum(
        p.numel()
        for name, p in model.model.named_parameters()
        if p.ndim == 2 and "embed" not in name
    )
    assert dense == rest + 3 * 2 * 32 * 3 * 64
    half = dimensions.footprint([64] * 3, context=0).macs_per_token
    assert dense - half == 3 * 32 * 3 * 64


def test_an_export_is_checked_in_a_fresh_process(recorded, tmp_path):
    model = recorded[0]
    target = export_model(model, plan_for(model), tmp_path / "export", form="uniform")
    assert (target / "config.json").is_file()


def test_experts_of_one_kind_stay_equally_wide():
    layout = UnitLayout((96, 160), ((96,), (32, 32, 32, 32, 32)))
    assert layout.experts_of(1)[1] == slice(32, 64)
    settings = PlanSettings(score="flap", ratio=0.35, allocation="uniform", multiple=8)
    removed = choose_units(np.random.default_rng(0).random(256), settings, layout=layout).removed
    counts = np.histogram(removed[1], np.arange(0, 161, 32))[0]
    assert set(counts) == {8}
    assert len(removed[0]) == 32
