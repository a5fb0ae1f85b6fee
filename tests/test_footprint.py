import numpy as np
import pytest
import tiny
import torch
from torch.utils.flop_counter import FlopCounterMode

from fnprune_core.footprint import Dimensions
from fnprune_core.pruning import prune

N_TOKENS = 12


def counted_flops(model) -> int:
    model.set_attn_implementation("eager")  # the counter does not know every fused kernel
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        model(tiny.random_ids(n_windows=1, length=N_TOKENS), use_cache=False)
    return counter.get_total_flops()


@pytest.mark.parametrize("cut", [False, True])
def test_footprint_is_what_a_model_has_and_does(language_model, cut) -> None:
    """All matrices, attention and unembedding are counted; eager attention sees every token."""
    dimensions = Dimensions.of(language_model)
    plan = tiny.toy_plan(language_model)
    removed = [len(part) if cut else 0 for part in plan.removed]
    model = prune(language_model, plan) if cut else language_model.model
    found = dimensions.footprint(removed, context=N_TOKENS)
    parameters = {id(p): p for p in model.parameters()}.values()
    assert found.n_parameters == sum(p.numel() for p in parameters)
    assert found.n_bytes == 4 * found.n_parameters
    # OPT and Gemma sum masks or scale positions in small products of their own.
    assert 2 * N_TOKENS * found.macs_per_token == pytest.approx(counted_flops(model), rel=1e-3)


def test_dimensions_come_back_from_json(llama) -> None:
    dimensions = Dimensions.of(llama)
    assert Dimensions.from_json(dimensions.to_json()) == dimensions
    assert np.sum(dimensions.parameters_per_unit) == 3 * 3 * 32
