import copy
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from fnprune_core.errors import FingerprintMismatchError, PlanError
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.projections import bias_of
from fnprune_core.models.silencing import Refit, silenced
from fnprune_core.pruning.compensation import (
    COMPENSATIONS,
    Cut,
    compensate,
    compensation_named,
    uses_bias,
)
from fnprune_core.pruning.pruned_bias import pruned_bias
from fnprune_core.pruning.slicing import mask, prune

IDS = tiny.random_ids()
CUTS = [*((name, False) for name in COMPENSATIONS), ("least-squares", True)]


@pytest.fixture
def refits_for(record_windows):
    """Compute the refits of a plan from a tiny recording."""

    def refits(language_model, plan, name, *, intercept=False):
        recording = record_windows(language_model)
        if compensation_named(name).reads_pruned:
            return pruned_bias(language_model, plan.removed, recording.windows)
        cut = Cut(removed=plan.removed, compensation=name, intercept=intercept)
        weights = (~recording.is_dummy).astype(np.float64)
        return compensate(language_model, recording, [cut], weights=weights)[0]

    return refits


def uniform_plan(language_model, n_removed=8):
    rng = np.random.default_rng(3)
    return tiny.toy_plan(
        language_model,
        [
            np.sort(rng.choice(width, size=n_removed, replace=False))
            for width in language_model.layout.widths
        ],
    )


def test_silenced_pruned_and_masked_models_give_the_same_logits(language_model, refits_for):
    plan = tiny.toy_plan(language_model)
    dense = tiny.logits_of(language_model.model, IDS)
    for name, intercept in CUTS:
        refits = refits_for(language_model, plan, name, intercept=intercept)
        with silenced(language_model, plan.removed, refits=refits):
            expected = tiny.logits_of(language_model.model, IDS)
        assert (dense - expected).abs().max() > 0.1, name
        cuts = [prune, mask]
        if uses_bias(name, intercept=intercept) and language_model.architecture.bias_home == "none":
            with pytest.raises(PlanError, match="no bias") as caught:
                mask(language_model, plan, refits=refits)
            assert "without intercept" in caught.value.hint
            cuts = [prune]
        for cut in cuts:
            logits = tiny.logits_of(cut(language_model, plan, refits=refits), IDS)
            torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_the_copies_really_lack_the_units(language_model):
    plan = tiny.toy_plan(language_model)
    architecture = language_model.architecture
    pruned, masked = prune(language_model, plan), mask(language_model, plan)
    for layer, (kept, removed) in enumerate(zip(plan.kept_widths, plan.removed, strict=True)):
        for module in feeding_modules(pruned, architecture, layer):
            assert len(bias_of(module)) == kept if bias_of(module) is not None else True
        projection = output_projections(pruned, architecture)[layer]
        assert kept in projection.weight.shape
        for module in feeding_modules(masked, architecture, layer):
            bias = bias_of(module)
            assert bias is None or not bias[removed].any()
    assert pruned.num_parameters() < language_model.model.num_parameters()
    assert masked.num_parameters() == language_model.model.num_parameters()


@tiny.each_kind
def test_the_model_itself_is_untouched(language_model, refits_for):
    plan = uniform_plan(language_model)
    refits = refits_for(language_model, plan, "least-squares", intercept=True)
    before = copy.deepcopy(language_model.model.state_dict())
    config = language_model.model.config.to_dict()
    copies = [prune(language_model, plan, refits=refits), mask(language_model, plan)]
    after = language_model.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert language_model.model.config.to_dict() == config
    for each in copies:
        for parameter in each.parameters():
            assert parameter.requires_grad  # can be fine-tuned
            with torch.no_grad():
                parameter.zero_()
    assert all(torch.equal(before[name], after[name]) for name in before)


@tiny.each_kind
def test_keeping_all_is_the_identity_bit_for_bit(language_model, refits_for):
    nothing = [np.empty(0, dtype=np.int64)] * language_model.layout.n_layers
    plan = tiny.toy_plan(language_model, nothing)
    before = tiny.logits_of(language_model.model, IDS)
    for name in COMPENSATIONS:
        refits = refits_for(language_model, plan, name)
        for cut in (prune, mask):
            each = cut(language_model, plan, refits=refits)
            assert torch.equal(tiny.logits_of(each, IDS), before)
            assert each.config.to_dict() == language_model.model.config.to_dict()


def test_a_uniform_copy_reloads_with_plain_transformers(language_model, refits_for, tmp_path):
    architecture, plan = language_model.architecture, uniform_plan(language_model)
    for name in COMPENSATIONS:
        if architecture.bias_home == "none" and uses_bias(name, intercept=False):
            continue  # this family cannot save it
        pruned = prune(language_model, plan, refits=refits_for(language_model, plan, name))
        width = getattr(pruned.config, architecture.width_attribute)
        assert width == language_model.layout.widths[0] - 8
        pruned.save_pretrained(tmp_path / name)
        loaded, report = AutoModelForCausalLM.from_pretrained(
            tmp_path / name, output_loading_info=True
        )
        assert not any(report.values())
        assert torch.equal(tiny.logits_of(loaded, IDS), tiny.logits_of(pruned, IDS))


@pytest.mark.parametrize("family", ["Llama", "OPT"])
def test_a_config_switched_to_biases_gives_zeros_to_all_that_had_none(family, tmp_path):
    """In OPT without biases (Galactica) the switch is for attention too: it would be random."""
    config = tiny.TINY_CONFIGS[family]()
    config.enable_bias = False
    language_model = tiny.tiny_language_model(family, config=config)
    plan = uniform_plan(language_model)
    refits = [Refit(bias=torch.full((32,), 0.5))] * language_model.layout.n_layers
    for cut in (prune, mask):
        copied = cut(language_model, plan, refits=refits)
        with silenced(language_model, plan.removed, refits=refits):
            expected = tiny.logits_of(language_model.model, IDS)
        copied.save_pretrained(tmp_path / cut.__name__)
        loaded, report = AutoModelForCausalLM.from_pretrained(
            tmp_path / cut.__name__, output_loading_info=True
        )
        assert not any(report.values())
        torch.testing.assert_close(tiny.logits_of(loaded, IDS), expected, rtol=1e-4, atol=1e-4)


def test_plans_that_do_not_fit_are_refused(llama):
    layout = llama.layout
    with pytest.raises(FingerprintMismatchError):
        prune(llama, tiny.toy_plan(llama, fingerprint="0" * 16))
    everything = [np.arange(width) for width in layout.widths]
    with pytest.raises(PlanError, match="empty layer 0"):
        prune(llama, tiny.toy_plan(llama, everything))
    edited = replace(tiny.toy_plan(llama), layout=UnitLayout((60, 48, 48)))
    for cut in (prune, mask):
        with pytest.raises(PlanError, match=r"layers of 60, 48, 48 units, .* has 48, 48, 48"):
            cut(llama, edited)
