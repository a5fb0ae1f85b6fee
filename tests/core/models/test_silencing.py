import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import PlanError
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit, scaled, silenced
from fnprune_core.recording.record import signals_of

IDS = tiny.random_ids()


def test_silenced_units_add_nothing(language_model):
    """As if their output columns were zero, which is computed without any hook."""
    removed = tiny.ragged_removal(language_model.layout)
    dense = tiny.logits_of(language_model.model, IDS)
    with silenced(language_model, removed):
        actual = tiny.logits_of(language_model.model, IDS)
    with torch.no_grad():
        for units, projection in zip(
            removed,
            output_projections(language_model.model, language_model.architecture),
            strict=True,
        ):
            weight_of(projection)[:, units] = 0
    expected = tiny.logits_of(language_model.model, IDS)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert (dense - expected).abs().max() > 0.1


def test_a_refits_bias_is_added_to_the_models_own():
    """As if the biases of the projections were larger, which is computed without any hook."""
    biased = tiny.tiny_language_model("GPT-2")
    removed = [units[:0] for units in tiny.ragged_removal(biased.layout)]
    projections = output_projections(biased.model, biased.architecture)
    for projection in projections:
        torch.nn.init.normal_(projection.bias, generator=torch.Generator().manual_seed(0))
    added = [torch.full_like(projection.bias, 0.5) for projection in projections]
    with silenced(biased, removed, refits=[Refit(bias=bias) for bias in added]):
        actual = tiny.logits_of(biased.model, IDS)
    with torch.no_grad():
        for projection, bias in zip(projections, added, strict=True):
            projection.bias += bias
    torch.testing.assert_close(actual, tiny.logits_of(biased.model, IDS), rtol=1e-5, atol=1e-5)


@tiny.each_kind
def test_logits_are_bit_equal_before_and_after(language_model):
    removed = tiny.ragged_removal(language_model.layout)
    bias = Refit(bias=torch.ones(32))
    before = tiny.logits_of(language_model.model, IDS)

    with silenced(language_model, removed, refits=[bias] * 3):
        inside = tiny.logits_of(language_model.model, IDS)
        with silenced(language_model, removed[::-1]):
            nested = tiny.logits_of(language_model.model, IDS)
        assert torch.equal(tiny.logits_of(language_model.model, IDS), inside)
        assert not tiny.lock_is_free(language_model)
    assert not torch.equal(nested, inside)
    assert not torch.equal(inside, before)
    assert tiny.is_idle(language_model)
    assert torch.equal(tiny.logits_of(language_model.model, IDS), before)

    with pytest.raises(ZeroDivisionError), silenced(language_model, removed):
        raise ZeroDivisionError
    assert tiny.is_idle(language_model)
    assert torch.equal(tiny.logits_of(language_model.model, IDS), before)


@tiny.each_kind
def test_silencing_nothing_is_the_identity_bit_for_bit(language_model):
    nothing = [np.empty(0, dtype=np.int64)] * language_model.layout.n_layers
    before = tiny.logits_of(language_model.model, IDS)
    with silenced(language_model, nothing, refits=[Refit()] * language_model.layout.n_layers):
        assert torch.equal(tiny.logits_of(language_model.model, IDS), before)


def test_a_factor_scales_the_units(llama):
    """Lesions turn units up as well as down; what is recorded inside shows it."""
    removed = tiny.ragged_removal(llama.layout)
    last = llama.layout.flat(2, removed[2])
    before, _ = signals_of(llama, IDS)
    with silenced(llama, [removed[1][:0], removed[1][:0], removed[2]], factor=1.5):
        after, _ = signals_of(llama, IDS)
    np.testing.assert_allclose(after[..., last], 1.5 * before[..., last], rtol=1e-6)
    rest = np.setdiff1d(np.arange(llama.layout.n_units), last)
    np.testing.assert_array_equal(after[..., rest], before[..., rest])


@tiny.each_kind
def test_gain_one_is_the_model_and_gain_nought_the_lesion(language_model):
    removed = tiny.ragged_removal(language_model.layout)
    factors = np.ones(language_model.layout.n_units)
    dense = tiny.logits_of(language_model.model, IDS)
    with scaled(language_model, factors):
        assert torch.equal(tiny.logits_of(language_model.model, IDS), dense)
        assert not tiny.lock_is_free(language_model)  # nobody else reads under these gains
    for layer, units in enumerate(removed):
        factors[language_model.layout.flat(layer, units)] = 0
    with scaled(language_model, factors):
        inside = tiny.logits_of(language_model.model, IDS)
    with silenced(language_model, removed):
        assert torch.equal(tiny.logits_of(language_model.model, IDS), inside)
    assert tiny.is_idle(language_model)
    assert torch.equal(tiny.logits_of(language_model.model, IDS), dense)


def test_what_a_layer_adds_is_linear_in_the_gain(llama):
    """Half the gain of the last layer's units takes half of what silencing them takes."""
    units = llama.layout.flat(2, np.arange(0, 40, 2))
    projection = output_projections(llama.model, llama.architecture)[2]
    outputs = []
    handle = projection.register_forward_hook(lambda module, args, y: outputs.append(y.clone()))
    for gain in (1.0, 0.5, 0.0, 2.0):
        factors = np.ones(llama.layout.n_units)
        factors[units] = gain
        with scaled(llama, factors):
            tiny.logits_of(llama.model, IDS)
    handle.remove()
    dense, half, none, double = outputs
    torch.testing.assert_close(dense - half, (dense - none) / 2, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(double - dense, dense - none, rtol=1e-4, atol=1e-5)
    assert (dense - none).abs().max() > 0.01


@pytest.mark.parametrize("wrong", [np.ones(3), np.full(144, np.nan)])
def test_factors_that_are_not_one_a_unit_are_refused(llama, wrong):
    with pytest.raises(PlanError, match="one a unit"), scaled(llama, wrong):
        pytest.fail("entered")


def test_units_of_another_model_are_refused_and_nothing_is_left(llama):
    for wrong in (
        [np.array([0])],
        [np.array([48]), np.array([0]), np.array([0])],
        [np.array([-1]), np.array([0]), np.array([0])],
    ):
        with pytest.raises(PlanError), silenced(llama, wrong):
            pytest.fail("entered")
    with pytest.raises(PlanError, match="refits"):
        silenced(llama, tiny.ragged_removal(llama.layout), refits=[Refit()]).__enter__()
    assert tiny.is_idle(llama)
