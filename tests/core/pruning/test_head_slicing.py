"""KV groups silenced, masked, sliced and taken away: the same model each time."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from fnprune_core.errors import PlanError, UnsupportedArchitectureError
from fnprune_core.models import modeling_per_layer
from fnprune_core.models.projections import bias_of
from fnprune_core.models.silencing import AttentionCut, silenced, without_refit
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.pruning.slicing import mask, prune, slice_per_layer, slice_uniformly

IDS = tiny.random_ids()
NO_UNITS = [np.empty(0, dtype=np.int64)] * 3


def with_groups(language_model, removed=None, *, units=NO_UNITS) -> PruningPlan:
    """A plan that removes KV groups: by default none of the first layer, others of each."""
    counts = language_model.attention.groups.widths
    if removed is None:
        removed = [[], [counts[1] - 1], [*range(counts[2] - 1)]]
    return replace(
        tiny.toy_plan(language_model, units),
        removed_groups=tuple(np.array(part, dtype=np.int64) for part in removed),
        group_counts=counts,
    )


def random_refits(language_model, plan, *, bias):
    """Refits with random columns for the heads that stay, and a bias."""
    generator = torch.Generator().manual_seed(3)
    size = language_model.attention.group_size
    return [
        replace(
            refit,
            attention=AttentionCut(
                removed=removed,
                columns=torch.randn(32, n * size, generator=generator) / 4,
                bias=torch.randn(32, generator=generator) if bias else None,
            ),
        )
        for refit, removed, n in zip(
            without_refit(3, plan.removed_groups),
            plan.removed_groups,
            plan.kept_group_counts,
            strict=True,
        )
    ]


def silenced_logits(language_model, plan, refits):
    with silenced(language_model, plan.removed, refits=refits):
        return tiny.logits_of(language_model.model, IDS)


def test_silenced_pruned_masked_and_per_layer_models_agree(language_model):
    plan = with_groups(language_model, units=tiny.ragged_removal(language_model.layout))
    dense = tiny.logits_of(language_model.model, IDS)
    home = language_model.architecture.attention.bias_home != "none"
    for refits in (
        None,
        random_refits(language_model, plan, bias=False),
        random_refits(language_model, plan, bias=True),
    ):
        expected = silenced_logits(
            language_model, plan, refits or without_refit(3, plan.removed_groups)
        )
        assert (dense - expected).abs().max() > 0.1
        has_bias = refits is not None and refits[0].attention.bias is not None
        for cut in (prune, mask, slice_per_layer):
            if cut is mask and has_bias and not home:
                with pytest.raises(PlanError, match="no bias in their attention's output"):
                    mask(language_model, plan, refits=refits)
                continue
            copied = cut(language_model, plan, refits=refits)
            torch.testing.assert_close(tiny.logits_of(copied, IDS), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(tiny.logits_of(language_model.model, IDS), dense)
    assert tiny.is_idle(language_model)


@tiny.each_kind
def test_removing_no_group_is_the_identity_bit_for_bit(language_model):
    plan = with_groups(language_model, [[], [], []])
    before = tiny.logits_of(language_model.model, IDS)
    assert torch.equal(
        silenced_logits(language_model, plan, without_refit(3, plan.removed_groups)), before
    )
    for cut in (prune, mask, slice_uniformly):
        copied = cut(language_model, plan)
        assert torch.equal(tiny.logits_of(copied, IDS), before)
        assert copied.config.to_dict() == language_model.model.config.to_dict()


@pytest.mark.parametrize("form", ["uniform", "masked", "per-layer"])
def test_forms_reload_with_equal_logits(language_model, form, tmp_path):
    """The plain form where the family can say that there are fewer heads, else a refusal."""
    architecture = language_model.architecture
    plan = with_groups(language_model, [[0], [1], [0]] if form == "uniform" else None)
    refits = random_refits(language_model, plan, bias=True)
    build = {"uniform": slice_uniformly, "masked": mask, "per-layer": slice_per_layer}[form]
    if form != "per-layer" and architecture.attention.bias_home == "none":
        with pytest.raises(PlanError, match="no bias"):
            build(language_model, plan, refits=refits)
        refits = random_refits(language_model, plan, bias=False)
    if form == "uniform" and not architecture.attention.has_head_size:
        with pytest.raises(PlanError, match="hidden size over heads") as caught:
            build(language_model, plan, refits=refits)
        assert "per-layer" in caught.value.hint
        return
    copied = build(language_model, plan, refits=refits)
    copied.save_pretrained(tmp_path)
    loader = AutoModelForCausalLM
    if form == "per-layer":
        loader = getattr(modeling_per_layer, type(copied).__name__)
    loaded, report = loader.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    expected = silenced_logits(language_model, plan, refits)
    torch.testing.assert_close(tiny.logits_of(loaded.eval(), IDS), expected, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():  # a key-value cache of fewer heads
        steps = loaded.generate(IDS[:1, :4], max_new_tokens=3, do_sample=False, pad_token_id=0)
        again = loaded.generate(
            IDS[:1, :4], max_new_tokens=3, do_sample=False, pad_token_id=0, use_cache=False
        )
    assert torch.equal(steps, again)


def test_a_plain_config_that_refuses_its_heads_is_told_before():
    """Llama's config wants the hidden size to be a multiple of the heads, whatever their size."""
    config = tiny.TINY_CONFIGS["Llama"]()
    config.num_attention_heads = config.num_key_value_heads = 8
    config.head_dim = 4
    language_model = tiny.tiny_language_model("Llama", config=config)
    with pytest.raises(PlanError, match=r"refuses 7 heads: .*multiple"):
        slice_uniformly(language_model, with_groups(language_model, [[0], [1], [2]]))
    plan = with_groups(language_model, [[0], [1, 2], [2]])
    with pytest.raises(PlanError, match=r"same number of KV groups .* 6 to 7"):
        slice_uniformly(language_model, plan)
    expected = silenced_logits(language_model, plan, without_refit(3, plan.removed_groups))
    torch.testing.assert_close(
        tiny.logits_of(prune(language_model, plan), IDS), expected, rtol=1e-4, atol=1e-4
    )


def test_groups_that_do_not_fit_are_refused(llama):
    plan = with_groups(llama)
    with pytest.raises(PlanError, match="empty layer 0 of attention"):
        prune(llama, with_groups(llama, [[0, 1], [], []]))
    with pytest.raises(PlanError, match=r"layers of 4, 4, 4 KV groups"):
        prune(llama, replace(plan, group_counts=(4, 4, 4)))
    other = without_refit(3, with_groups(llama, [[0], [], []]).removed_groups)
    with pytest.raises(PlanError, match=r"for KV groups \[0\]"):
        prune(llama, plan, refits=other)
    with pytest.raises(PlanError, match="not those of tiny-Llama"):
        silenced(llama, NO_UNITS, refits=without_refit(3, [np.array([5])] * 3)).__enter__()
    llama.model.config.num_attention_heads = 8
    with pytest.raises(UnsupportedArchitectureError, match="8 heads in 2 KV groups"):
        _ = llama.attention


def test_a_bias_switched_on_gives_zeros_to_queries_keys_and_values(llama):
    plan = with_groups(llama)
    copied = mask(llama, plan, refits=random_refits(llama, plan, bias=True))
    attention = copied.model.layers[0].self_attn
    assert copied.config.attention_bias
    assert not copied.config.mlp_bias
    for name in "qkv":
        assert not bias_of(attention.get_submodule(f"{name}_proj")).any()
