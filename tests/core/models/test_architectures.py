import copy

import pytest
import tiny
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import (
    ARCHITECTURES,
    feeding_modules,
    feeding_row_norms,
    feeding_rows,
    layers_of,
    output_column_norms,
    output_projections,
    through_norm,
    to_unembedding,
    unit_layout,
)
from fnprune_core.models.projections import bias_of, replace_weight, weight_of
from fnprune_core.recording.record import signals_of


def test_signals_times_output_projection_are_what_the_mlp_says(language_model):
    model, architecture = language_model.model, language_model.architecture
    # OPT has no MLP module: its projection's output stands for it, all tokens in one row.
    path = architecture.output_projection.rpartition(".")[0] or architecture.output_projection
    outputs = []
    handles = [
        layer.get_submodule(path).register_forward_hook(lambda m, x, y: outputs.append(y))
        for layer in layers_of(model, architecture)
    ]
    ids = tiny.random_ids()
    signals, _ = signals_of(language_model, ids)
    for handle in handles:
        handle.remove()
    parts = language_model.layout.split(signals)
    for x, projection, y in zip(
        parts, output_projections(model, architecture), outputs, strict=True
    ):
        expected = torch.from_numpy(x) @ weight_of(projection).T
        if (bias := bias_of(projection)) is not None:
            expected += bias
        y = y.reshape(*ids.shape, -1)
        torch.testing.assert_close(y, expected.detach(), rtol=1e-4, atol=1e-5)


def test_a_unit_is_a_row_of_what_feeds_it(language_model):
    model, architecture = language_model.model, language_model.architecture
    layer, unit = 1, 5
    ids = tiny.random_ids()
    before, _ = signals_of(language_model, ids)
    width = language_model.layout.widths[layer]
    rows = feeding_rows(architecture, torch.tensor([unit]), width)
    with torch.no_grad():
        for module in feeding_modules(model, architecture, layer):
            weight = weight_of(module).clone()
            weight[rows] = 0
            bias = bias_of(module)
            if bias is not None:
                bias = bias.clone()
                bias[rows] = 0
            replace_weight(module, weight, bias)
    after, _ = signals_of(language_model, ids)
    flat = int(language_model.layout.flat(layer, unit))
    assert (before[..., flat] != 0).any()  # OPT's rectified units are silent at some tokens
    assert (after[..., flat] == 0).all()
    others = language_model.layout.layer_of_unit <= layer
    others[flat] = False
    assert (before[..., others] == after[..., others]).all()


@pytest.mark.parametrize("module", [nn.Linear(3, 4), Conv1D(4, 3)], ids=["Linear", "Conv1D"])
def test_replaced_weights_compute_and_report_the_new_widths(module):
    module = copy.deepcopy(module)
    module.weight.requires_grad_(False)
    weight, bias = torch.arange(10.0).reshape(2, 5), torch.tensor([1.0, -1.0])
    replace_weight(module, weight, bias)
    x = torch.arange(5.0)[None]
    torch.testing.assert_close(module(x), x @ weight.T + bias)
    torch.testing.assert_close(weight_of(module), weight)
    assert weight_of(module).shape == (2, 5)
    assert "nf=2, nx=5" in repr(module) or "in_features=5, out_features=2" in repr(module)
    assert not module.weight.requires_grad
    assert weight_of(module).data_ptr() != weight.data_ptr()


def test_norms_are_per_unit(language_model):
    model, architecture = language_model.model, language_model.architecture
    columns = torch.cat([weight_of(p) for p in output_projections(model, architecture)], dim=1)
    squares = output_column_norms(model, architecture)
    torch.testing.assert_close(squares.float(), columns.detach().square().sum(dim=0))
    sums = output_column_norms(model, architecture, power=1)
    torch.testing.assert_close(sums.float(), columns.detach().abs().sum(dim=0))
    rows = feeding_row_norms(model, architecture)
    unit = int(language_model.layout.flat(2, 7))
    expected = 0.0
    for module in feeding_modules(model, architecture, 2):
        for row in feeding_rows(architecture, torch.tensor([7]), language_model.layout.widths[2]):
            expected += float(weight_of(module)[row].detach().square().sum())
    assert float(rows[unit]) == pytest.approx(expected, rel=1e-5)


def assert_linear_part(architecture, norm, size):
    """Where x is orthogonal to a direction, only the linear part of the norm acts on it."""
    generator = torch.Generator().manual_seed(2)
    direction, x = torch.randn(2, size, generator=generator, dtype=torch.float64)
    if isinstance(norm, nn.LayerNorm):
        direction, x = direction - direction.mean(), x - x.mean()
    x -= direction * (x @ direction) / (direction @ direction)
    _, slope = torch.autograd.functional.jvp(copy.deepcopy(norm).double(), x, direction)
    expected = slope * x.square().mean().sqrt()
    shifted = direction + 3 if isinstance(norm, nn.LayerNorm) else direction
    actual = through_norm(architecture, norm, shifted)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_the_linear_part_of_norms_is_what_the_norms_compute(language_model):
    model, architecture = language_model.model, language_model.architecture
    assert_linear_part(architecture, model.get_submodule(architecture.final_norm), 32)
    norms = {name for name, _ in layers_of(model, architecture)[0].named_children()}
    if architecture.output_norm:
        norm = layers_of(model, architecture)[1].get_submodule(architecture.output_norm)
        assert_linear_part(architecture, norm, 32)
    assert ("post_feedforward_layernorm" in norms) == bool(architecture.output_norm)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_opt_may_lack_the_final_norm_its_gain_and_a_bias(before, affine):
    """opt-350m norms after each layer and projects before the unembedding; Galactica is plain."""
    config = tiny.TINY_CONFIGS["OPT"]()
    config.do_layer_norm_before, config.layer_norm_elementwise_affine = before, affine
    config.word_embed_proj_dim = 24
    language_model = tiny.tiny_language_model("OPT", config=config)
    model, architecture = language_model.model, language_model.architecture
    direction = torch.randn(32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    decoder = model.model.decoder
    expected = direction
    if before:
        expected = direction - direction.mean()
        if affine:
            expected = expected * decoder.final_layer_norm.weight.double()
    expected = decoder.project_out.weight.double() @ expected
    actual = to_unembedding(model, architecture, direction)
    torch.testing.assert_close(actual, expected.detach())
    assert model.get_output_embeddings().weight.shape[1] == len(actual)


def test_every_model_type_has_one_row():
    types = [name for row in ARCHITECTURES.values() for name in row.model_types]
    assert len(types) == len(set(types))


def test_modules_that_do_not_fit_together_are_refused(language_model):
    model, architecture = language_model.model, language_model.architecture
    projection = output_projections(model, architecture)[1]
    with torch.no_grad():
        replace_weight(projection, weight_of(projection)[:, 1:], bias_of(projection))
    with pytest.raises(UnsupportedArchitectureError, match="Layer 1"):
        unit_layout(model, architecture)
    projection.weight = None
    with pytest.raises(UnsupportedArchitectureError, match="Layer 1 lacks") as caught:
        unit_layout(model, architecture)
    assert "Looked for" in caught.value.hint


def test_a_family_without_a_tiny_config_is_told_where_to_add_one():
    with pytest.raises(LookupError, match=r"add a row to TINY_CONFIGS in tests/tiny\.py"):
        tiny.tiny_model("Mamba")
