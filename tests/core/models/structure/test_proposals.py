"""Units are found by structure: what the table of families says, and what no row says."""

from dataclasses import replace

import pytest
import tiny
import torch
from families import small_config
from small import small_model
from transformers import AutoModelForCausalLM

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import ARCHITECTURES
from fnprune_core.models.attention_modules import UNPROVEN
from fnprune_core.models.silencing import silenced, without_refit
from fnprune_core.models.structure.proof import prove_logits, prove_units, proven_architecture
from fnprune_core.models.structure.proposals import propose
from fnprune_core.pruning.slicing import prune, slice_per_layer, slice_uniformly

#: No row names them. What of their structure is unlike Llama's, and where their units are.
UNLISTED = {
    "phi": ("parallel, biases, no gate", "mlp.fc2"),
    "gptj": ("parallel, no bias in the attention", "mlp.fc_out"),
    "cohere": ("parallel, gated", "mlp.down_proj"),
    "bloom": ("queries, keys and values woven by head", "mlp.dense_4h_to_h"),
    "falcon": ("one key and value head", "mlp.dense_4h_to_h"),
    "mpt": ("a norm without bias", "ffn.down_proj"),
    "nemotron": ("squared ReLU, no gate", "mlp.down_proj"),
    "starcoder2": ("biases everywhere", "mlp.c_proj"),
    "olmo2": ("norms after, not before", "mlp.down_proj"),
    "glm4": ("fused gate, norms on both sides", "mlp.down_proj"),
    "gemma3": ("wrapped beside a model of images", "mlp.down_proj"),
    "granite": ("multiplied residual stream", "mlp.down_proj"),
    "qwen3_5_text": ("layers of linear attention", "mlp.down_proj"),
}


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_structure_finds_what_the_table_says(family):
    model = tiny.tiny_model(family)
    found, row = proven_architecture(model), ARCHITECTURES[family]
    same = {
        name: getattr(row, name)
        for name in (
            "layers", "output_projection", "feeding", "final_norm", "width_attribute",
            "activation", "n_fused", "gain_offset", "output_norm",
        )
    }  # fmt: skip
    assert {name: getattr(found, name) for name in same} == same
    # A switch that is on already leaves a bias, which needs no switch.
    assert found.bias_home == (
        "always" if row.bias_home == "switch" and family == "OPT" else row.bias_home
    )
    assert found.attention.output == row.attention.output
    assert found.attention.feeding == row.attention.feeding


@pytest.mark.parametrize("kind", UNLISTED)
def test_silencing_is_pruning_in_a_family_without_a_row(kind, tmp_path):
    language_model = small_model(kind)
    assert language_model.architecture.output_projection == UNLISTED[kind][1]
    plan, ids = tiny.alike_plan(language_model), tiny.random_ids()
    with silenced(language_model, plan.removed):
        expected = tiny.logits_of(language_model.model, ids)
    dense = tiny.logits_of(language_model.model, ids)
    assert (expected - dense).abs().max() > 1e-2
    torch.testing.assert_close(
        tiny.logits_of(prune(language_model, plan), ids), expected, rtol=1e-3, atol=1e-4
    )
    forms = [slice_per_layer]
    if language_model.architecture.width_attribute:
        forms.append(slice_uniformly)
    for build in forms:
        folder = tmp_path / build.__name__
        built = build(language_model, plan)
        built.save_pretrained(folder)
        reloaded = type(built).from_pretrained(folder, dtype=torch.float32).eval()
        torch.testing.assert_close(tiny.logits_of(reloaded, ids), expected, rtol=1e-3, atol=1e-4)


def test_heads_are_cut_where_a_cut_is_proven_and_refused_elsewhere():
    language_model = small_model("cohere")
    n_layers = language_model.layout.n_layers
    removed = [torch.tensor([0]).numpy()] * n_layers
    plan = replace(
        tiny.alike_plan(language_model),
        removed_groups=tuple(removed),
        group_counts=language_model.attention.groups.widths,
    )
    ids = tiny.random_ids()
    with silenced(language_model, plan.removed, refits=without_refit(n_layers, removed)):
        expected = tiny.logits_of(language_model.model, ids)
    torch.testing.assert_close(
        tiny.logits_of(prune(language_model, plan), ids), expected, rtol=1e-3, atol=1e-4
    )
    other = small_model("bloom")
    assert other.architecture.attention is UNPROVEN
    with pytest.raises(UnsupportedArchitectureError, match="No way to cut heads of Bloom"):
        _ = other.attention


@pytest.mark.parametrize(
    ("kind", "reason"),
    {
        "bitnet": "no unit can be cut",  # a norm over the units
        "mamba": "counts no attention heads",
        "jetmoe": "choose among experts",  # which share one matrix of another form
        "bert": "in both directions",
    }.items(),
)
def test_what_cannot_be_cut_is_refused_with_the_reason(kind, reason):
    with pytest.raises(UnsupportedArchitectureError, match=reason):
        small_model(kind)


def test_a_wrong_place_is_not_proven():
    model = tiny.tiny_model("Llama")
    right = proven_architecture(model)
    assert all(proof.holds for proof in prove_units(model, right, range(3)))
    assert prove_logits(model, right).holds
    # A gate without its up projection: silencing is one thing, cutting fails.
    wrong = replace(right, feeding=right.feeding[:1])
    assert not any(proof.holds for proof in prove_units(model, wrong, range(3)))
    attention = replace(right, output_projection="self_attn.o_proj", feeding=("self_attn.q_proj",))
    assert not any(proof.holds for proof in prove_units(model, attention, range(3)))


def test_a_proof_without_an_effect_is_none():
    model = tiny.tiny_model("Llama")
    architecture = proven_architecture(model)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.zero_()
    holds = [proof.holds for proof in prove_units(model, architecture, range(3))]
    assert holds == [True, False, True]


def test_nothing_is_computed_before_weights_are_read():
    with torch.device("meta"):
        blank = AutoModelForCausalLM.from_config(small_config("granite"))
    [proposal, *_] = propose(blank)
    assert proposal.output_projection == "mlp.down_proj"
