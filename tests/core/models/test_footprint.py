from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from torch.utils.flop_counter import FlopCounterMode

from fnprune_core.models.footprint import Dimensions
from fnprune_core.pruning.slicing import prune

N_TOKENS = 12


def counted_flops(model) -> int:
    for module in model.modules():  # the counter does not know every fused kernel
        if hasattr(module, "config"):
            module.config._attn_implementation = "eager"
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        model(tiny.random_ids(n_windows=1, length=N_TOKENS), use_cache=False)
    return counter.get_total_flops()


@pytest.mark.parametrize("cut", ["nothing", "units", "units and groups"])
def test_footprint_is_what_a_model_has_and_does(language_model, cut) -> None:
    """All matrices, attention and unembedding are counted; eager attention sees every token."""
    dimensions = Dimensions.of(language_model)
    plan, n_groups = tiny.toy_plan(language_model), 0
    if cut == "units and groups":
        widths = language_model.attention.groups.widths
        groups = tuple(np.array([layer % 2]) for layer in range(len(widths)))
        plan, n_groups = replace(plan, removed_groups=groups, group_counts=widths), len(widths)
    removed = [0 if cut == "nothing" else len(part) for part in plan.removed]
    model = language_model.model if cut == "nothing" else prune(language_model, plan)
    found = dimensions.footprint(removed, context=N_TOKENS, removed_groups=n_groups)
    parameters = {id(p): p for p in model.parameters()}.values()
    assert found.n_parameters == sum(p.numel() for p in parameters)
    assert found.n_bytes == 4 * found.n_parameters
    # OPT and Gemma sum masks or scale positions in small products of their own.
    assert 2 * N_TOKENS * found.macs_per_token == pytest.approx(counted_flops(model), rel=1e-3)


def test_dimensions_come_back_from_json(llama) -> None:
    dimensions = Dimensions.of(llama)
    assert Dimensions.from_json(dimensions.to_json()) == dimensions
    assert np.sum(dimensions.parameters_per_unit) == 3 * 3 * 32
