"""Where a layer's units live in a model family, and how their weights are cut.

A row of the table is what `fnprune_core.models.structure` finds by itself, written down: it keeps
the family's name, which fingerprints hold, and spares the search at each load.

A unit is one input column of the MLP's output projection. Everything that knows the names of
modules, `Conv1D`'s transposed weights or a config's attribute for the width stands here.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import torch
from torch import Tensor, nn

from fnprune_core.errors import SettingsError, UnsupportedArchitectureError
from fnprune_core.models.attention_modules import (
    GPT_2,
    GPT_NEOX,
    OPT,
    PHI_3,
    SEPARATE,
    SWITCHED,
    AttentionModules,
)
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.mixtures.places import UNITS, Mixture
from fnprune_core.models.mixtures.stacked import Stacked
from fnprune_core.models.sources.quantised import is_quantised, refusal

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.pytorch_utils import Conv1D

    from fnprune_core.models.mixtures.units import ExpertUnits

BiasHome = Literal["always", "switch", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A model family: the paths of its modules, and how their weights are laid out.

    Parameters
    ----------
    family : str
        Name shown to people.
    model_types : tuple of str
        Values of ``config.model_type`` that this row serves.
    layers : str
        Path from the causal model to its list of layers.
    output_projection : str
        Path from a layer to the MLP's output projection, whose inputs are the units.
    feeding : tuple of str
        Paths from a layer to the modules whose outputs become the units, cut together.
    activation : str
        Path from a layer to the module whose output multiplies the up projection's, in an MLP
        with a gate; empty in one without, where its output is the units themselves.
    final_norm : str
        Path from the causal model to the norm before the unembedding; a model may lack it.
    width_attribute : str
        Config attribute with the number of units in a layer.
    bias_home : {"always", "switch", "none"}
        Whether the output projection has a bias, gets one by a config switch, or can't have one.
    bias_switch : str
        The config attribute that gives every MLP projection a bias, for ``"switch"``. What else
        it gives one gets zeros.
    n_fused : int
        How many equal parts each feeding module's outputs have, one row of each for a unit
        (Phi-3 lays the gate's rows above the up projection's).
    gain_offset : float
        What the norms add to their weight before they multiply by it (1 for Gemma).
    output_norm : str
        Path from a layer to a norm between the output projection and the residual stream.
    before_unembedding : str
        Path from the causal model to a projection between final norm and unembedding, which a
        model may lack.
    attention : AttentionModules
        Where the heads are; `UNPROVEN` where no cut of heads is proven.
    mixture : Mixture or None
        Where experts are, in layers that choose among some.
    """

    family: str
    model_types: tuple[str, ...]
    layers: str
    output_projection: str
    feeding: tuple[str, ...]
    final_norm: str
    width_attribute: str
    bias_home: BiasHome
    activation: str = ""
    bias_switch: str = ""
    n_fused: int = 1
    gain_offset: float = 0.0
    output_norm: str = ""
    before_unembedding: str = ""
    attention: AttentionModules = SEPARATE
    mixture: Mixture | None = None


# What Llama's descendants share; `replace` says what differs.
_GATED = Architecture(
    family="",
    model_types=(),
    layers="model.layers",
    output_projection="mlp.down_proj",
    feeding=("mlp.gate_proj", "mlp.up_proj"),
    activation="mlp.act_fn",
    final_norm="model.norm",
    width_attribute="intermediate_size",
    bias_home="none",
)
_GEMMA = replace(_GATED, gain_offset=1.0, attention=SWITCHED)
_GEMMA_2 = replace(_GEMMA, output_norm="post_feedforward_layernorm")

ARCHITECTURES: dict[str, Architecture] = {
    row.family: row
    for row in (
        replace(
            _GATED,
            family="Llama",
            model_types=("llama",),
            bias_home="switch",
            bias_switch="mlp_bias",
            attention=SWITCHED,
        ),
        replace(_GATED, family="Mistral", model_types=("mistral",)),
        replace(_GATED, family="Qwen2", model_types=("qwen2",)),
        replace(_GATED, family="Qwen3", model_types=("qwen3",), attention=SWITCHED),
        replace(_GEMMA, family="Gemma", model_types=("gemma",)),
        replace(_GEMMA_2, family="Gemma 2", model_types=("gemma2",)),
        # The text models; those that also see are of type gemma3, and Gemma 3n is built otherwise.
        replace(_GEMMA_2, family="Gemma 3", model_types=("gemma3_text",)),
        replace(
            _GATED,
            family="Phi-3",
            model_types=("phi3",),
            feeding=("mlp.gate_up_proj",),
            activation="mlp.activation_fn",
            n_fused=2,
            attention=PHI_3,
        ),
        Architecture(
            family="GPT-2",
            model_types=("gpt2",),
            layers="transformer.h",
            output_projection="mlp.c_proj",
            feeding=("mlp.c_fc",),
            final_norm="transformer.ln_f",
            width_attribute="n_inner",
            bias_home="always",
            attention=GPT_2,
        ),
        Architecture(
            family="GPT-NeoX",
            model_types=("gpt_neox",),
            layers="gpt_neox.layers",
            output_projection="mlp.dense_4h_to_h",
            feeding=("mlp.dense_h_to_4h",),
            final_norm="gpt_neox.final_layer_norm",
            width_attribute="intermediate_size",
            bias_home="always",
            attention=GPT_NEOX,
        ),
        Architecture(
            family="OPT",
            model_types=("opt",),
            layers="model.decoder.layers",
            output_projection="fc2",
            feeding=("fc1",),
            final_norm="model.decoder.final_layer_norm",
            width_attribute="ffn_dim",
            bias_home="switch",  # on, but for Galactica
            bias_switch="enable_bias",
            before_unembedding="model.decoder.project_out",  # of opt-350m
            attention=OPT,
        ),
    )
}


def known_architecture(config: "PretrainedConfig") -> Architecture | None:
    """Return the row that serves a config's ``model_type``, or None where none does.

    Other models are found by their structure: see `fnprune_core.models.structure`.
    """
    for row in ARCHITECTURES.values():
        if config.model_type in row.model_types:
            return row
    return None


def value_of(config: "PretrainedConfig", name: str) -> Any:
    """Return a value of a config, or None where it has none, or one for each layer (Gemma 4)."""
    with suppress(Exception):  # transformers has an error of its own for values by layer
        return getattr(config, name)
    return None


def text_config(model: "PreTrainedModel") -> "PretrainedConfig":
    """Return the config of the decoder of text, which a multimodal model wraps in its own."""
    config: PretrainedConfig = model.config.get_text_config(decoder=True)
    return config


def layers_of(model: "PreTrainedModel", architecture: Architecture) -> list[nn.Module]:
    """Return the model's layers, first to last."""
    return list(model.get_submodule(architecture.layers).children())


def output_projections(model: "PreTrainedModel", architecture: Architecture) -> list[nn.Module]:
    """Return the output projection of each layer's MLP, or of all experts of its mixture."""
    return [output_of(layer, architecture) for layer in layers_of(model, architecture)]


def experts_of(layer: nn.Module, architecture: Architecture) -> "ExpertUnits | None":
    """Return the units of a layer's mixture, or None where it has an MLP."""
    block = architecture.mixture.block_of(layer) if architecture.mixture else None
    units: ExpertUnits | None = None if block is None else getattr(block, UNITS)
    return units


def refuse_experts(architecture: Architecture, what: str) -> None:
    """Raise an error if a model has experts, of something that needs an MLP in each layer."""
    if architecture.mixture is not None:
        raise SettingsError(
            f"{what} needs an MLP in every layer; {architecture.family} chooses among experts.",
            hint="Choose another score, or least squares as the compensation.",
        )


def output_path(layer: nn.Module, architecture: Architecture) -> str:
    """Return the path from a layer to what its units enter."""
    mixture = architecture.mixture
    if mixture is None or mixture.block_of(layer) is None:
        return architecture.output_projection
    return f"{mixture.block}.{UNITS}"


def output_of(layer: nn.Module, architecture: Architecture) -> nn.Module:
    """Return what a layer's units enter: one projection."""
    return layer.get_submodule(output_path(layer, architecture))


def feeding_of(layer: nn.Module, architecture: Architecture) -> list[nn.Module]:
    """Return the modules whose outputs become a layer's units."""
    experts = experts_of(layer, architecture)
    if experts is not None:
        return list(experts.feeding)
    return [layer.get_submodule(path) for path in architecture.feeding]


def feeding_modules(
    model: "PreTrainedModel", architecture: Architecture, layer: int
) -> list[nn.Module]:
    """Return the modules whose outputs become the units of `layer`."""
    return feeding_of(layers_of(model, architecture)[layer], architecture)


def feeding_rows(architecture: Architecture, units: Tensor, width: int) -> Tensor:
    """Return the rows of a feeding module that belong to `units`, in an order that keeps parts.

    Parameters
    ----------
    units : Tensor (n,)
        Indices within a layer of `width` units.
    """
    return torch.cat([units + part * width for part in range(architecture.n_fused)])


def _is_transposed(module: nn.Module) -> "TypeGuard[Conv1D]":
    """Whether a projection holds its weight as (inputs, outputs), as GPT-2's do."""
    from transformers.pytorch_utils import Conv1D  # takes a second: only when a model is here

    return isinstance(module, Conv1D)


def weight_of(module: nn.Module) -> Tensor:
    """Return a projection's weight as (outputs, inputs), whichever way it is stored.

    Of a mixture of experts a copy, put together of all of its experts'.

    Raises
    ------
    UnsupportedArchitectureError
        If it is quantised.
    """
    if isinstance(module, Stacked):
        return module.stacked_weight()
    if is_quantised(module):
        raise refusal(module)
    return outputs_by_inputs(module, module.get_parameter("weight"))


def shape_of(module: nn.Module) -> tuple[int, int]:
    """Return the numbers of outputs and inputs of a projection, a quantised one too."""
    if is_quantised(module):
        return int(str(module.out_features)), int(str(module.in_features))
    outputs, inputs = weight_of(module).shape
    return outputs, inputs


def sample_of(module: nn.Module) -> Tensor:
    """Return a parameter of a projection, for its dtype and device; no weight is copied."""
    return module.sample if isinstance(module, Stacked) else module.get_parameter("weight")


def n_values(module: nn.Module) -> int:
    """Return how many entries a projection's weight has."""
    return module.n_values if isinstance(module, Stacked) else math.prod(shape_of(module))


def n_parameters(module: nn.Module) -> int:
    """Return how many parameters a projection has, its bias among them."""
    bias = bias_of(module)
    return n_values(module) + (0 if bias is None else bias.numel())


def outputs_by_inputs(module: nn.Module, values: Tensor) -> Tensor:
    """Return what is laid out as a projection's weight, such as its gradient, outputs first."""
    return values.T if _is_transposed(module) else values


def bias_of(module: nn.Module) -> Tensor | None:
    """Return a projection's bias (outputs,), or None."""
    bias = getattr(module, "bias", None)
    return bias if isinstance(bias, Tensor) else None


def unit_layout(model: "PreTrainedModel", architecture: Architecture) -> UnitLayout:
    """Return the number of units per layer, after checking that the modules fit together.

    Raises
    ------
    UnsupportedArchitectureError
        If a module is missing, or a feeding module's outputs are not the projection's inputs.
    """
    widths, expert_sizes = [], []
    for index, layer in enumerate(layers_of(model, architecture)):
        try:
            experts = experts_of(layer, architecture)
            if experts is not None:
                widths.append(experts.n_units)
                expert_sizes.append(experts.expert_sizes)
                continue
            width = shape_of(output_of(layer, architecture))[1]
            n_outputs = [shape_of(layer.get_submodule(path))[0] for path in architecture.feeding]
        except AttributeError as error:
            raise UnsupportedArchitectureError(
                f"Layer {index} lacks a module or weight that the family {architecture.family} "
                f"has: {error}.",
                hint=f"Looked for the weights of {architecture.output_projection} and "
                f"{', '.join(architecture.feeding)}.",
            ) from error
        for path, n in zip(architecture.feeding, n_outputs, strict=True):
            if n != architecture.n_fused * width:
                raise UnsupportedArchitectureError(
                    f"Layer {index}: {path} has {n} outputs, expected "
                    f"{architecture.n_fused * width} for the {width} inputs of "
                    f"{architecture.output_projection}.",
                    hint="fnprune cannot tell what the units of this model are.",
                )
        widths.append(width)
        expert_sizes.append((width,))
    return UnitLayout(tuple(widths), tuple(expert_sizes) if architecture.mixture else ())


def bias_with(module: nn.Module, added: Tensor | None) -> Tensor | None:
    """Return a projection's bias plus what a refit adds, or None where there is neither."""
    bias, sample = bias_of(module), sample_of(module)
    if added is None:
        return bias
    added = added.to(sample.device, torch.float32)
    return (added if bias is None else bias.detach().float() + added).to(sample.dtype)


def replace_weight(module: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give a projection new parameters; `weight` is (outputs, inputs) for every kind.

    The module's own widths are updated with them.
    """
    outputs, inputs = weight.shape
    stored = outputs_by_inputs(module, weight)
    requires_grad = module.get_parameter("weight").requires_grad
    module.register_parameter(
        "weight", nn.Parameter(stored.contiguous().clone(), requires_grad=requires_grad)
    )
    module.register_parameter(
        "bias",
        None if bias is None else nn.Parameter(bias.clone(), requires_grad=requires_grad),
    )
    if _is_transposed(module):
        module.nf, module.nx = outputs, inputs
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = outputs, inputs


def add_bias(module: nn.Module, added: Tensor) -> None:
    """Add to a projection's bias, (outputs,); it gets one if it has none."""
    total = bias_with(module, added)
    assert total is not None  # something is added
    if isinstance(module, Stacked):
        module.register_parameter("bias", nn.Parameter(total, requires_grad=False))
    else:
        replace_weight(module, weight_of(module), total)


def kept_part(
    values: Tensor, kept: Tensor, *, new: Tensor | None = None, masks: bool = False, dim: int = 0
) -> Tensor:
    """Return the kept rows or columns of a weight, or all of them with zeros for the others.

    Parameters
    ----------
    kept : Tensor (n,)
        Indices along `dim`.
    new : Tensor, optional
        Refitted values that take the place of those kept.
    masks : bool
        Whether the shape stays, and zeros stand where something goes.
    """
    kept = kept.to(values.device)
    part = values.index_select(dim, kept) if new is None else new.to(values)
    return torch.zeros_like(values).index_copy(dim, kept, part) if masks else part


def cut_rows(
    module: nn.Module, kept: Tensor, *, new: Tensor | None = None, masks: bool = False
) -> None:
    """Cut what feeds units or groups: keep some rows of a projection, with their biases."""
    bias = bias_of(module)
    replace_weight(
        module,
        kept_part(weight_of(module), kept, new=new, masks=masks),
        None if bias is None else kept_part(bias, kept, masks=masks),
    )


def cut_units(
    layer: nn.Module,
    architecture: Architecture,
    kept: Tensor,
    *,
    columns: Tensor | None = None,
    feeding: Sequence[Tensor] = (),
    masks: bool = False,
    widths: Sequence[int] | None = None,
) -> None:
    """Keep some units of a layer, which is changed; or all, with zeros for the others' weights.

    Parameters
    ----------
    kept : Tensor (n,)
        Sorted indices within the layer.
    columns, feeding : Tensor (hidden, n); sequence of Tensor (rows of n units, inputs), optional
        Refitted weights in place of those that stay.
    widths : sequence of int, optional
        Of a mixture, see `ExpertUnits.cut`.
    """
    experts = experts_of(layer, architecture)
    if experts is not None:
        experts.cut(kept, columns=columns, masks=masks, widths=widths)
        return
    output = output_of(layer, architecture)
    weight = weight_of(output)
    rows = feeding_rows(architecture, kept, weight.shape[1])
    for position, module in enumerate(feeding_of(layer, architecture)):
        cut_rows(module, rows, new=feeding[position] if feeding else None, masks=masks)
    replace_weight(
        output, kept_part(weight, kept, new=columns, masks=masks, dim=1), bias_of(output)
    )


def output_column_norms(
    model: "PreTrainedModel", architecture: Architecture, *, power: Literal[1, 2] = 2
) -> Tensor:
    """Return Σ|W[:, j]|^power of each unit's output column, float64 on the CPU: (n_units,)."""
    with torch.no_grad():
        return torch.cat(
            [
                weight_of(projection).cpu().double().abs().pow(power).sum(dim=0)
                for projection in output_projections(model, architecture)
            ]
        )


def by_unit(architecture: Architecture, rows: Tensor) -> Tensor:
    """Return the sums over the rows of a feeding module that belong to one unit: (units,).

    Parameters
    ----------
    rows : Tensor (n_fused · units,)
        A number for each row.
    """
    return rows.reshape(architecture.n_fused, -1).sum(dim=0)


def feeding_row_norms(model: "PreTrainedModel", architecture: Architecture) -> Tensor:
    """Return Σ W² over the rows that feed each unit, float64 on the CPU: (n_units,)."""
    layer_norms = []
    with torch.no_grad():
        for layer in layers_of(model, architecture):
            squares = [
                weight_of(module).cpu().double().square().sum(dim=1)
                for module in feeding_of(layer, architecture)
            ]
            layer_norms.append(
                torch.stack([by_unit(architecture, each) for each in squares]).sum(dim=0)
            )
    return torch.cat(layer_norms)


def through_norm(architecture: Architecture, norm: nn.Module, direction: Tensor) -> Tensor:
    """Return a direction after a norm's linear part, (hidden,), float64 on the CPU.

    The gain and, in a LayerNorm, the centring; the division by the token's own size is left out.
    """
    direction = direction.double().cpu()
    if isinstance(norm, nn.LayerNorm):
        direction = direction - direction.mean()
    weight: Tensor | None = getattr(norm, "weight", None)  # a LayerNorm may have none
    if weight is None:
        return direction
    return direction * (weight.detach().double().cpu() + architecture.gain_offset)


def to_unembedding(
    model: "PreTrainedModel", architecture: Architecture, direction: Tensor
) -> Tensor:
    """Return a direction of the residual stream as the unembedding meets it, float64 on the CPU.

    Parameters
    ----------
    direction : Tensor (hidden,)
    """
    direction = direction.double().cpu()
    norm = _module_or_none(model, architecture.final_norm)
    if norm is not None:
        direction = through_norm(architecture, norm, direction)
    projection = _module_or_none(model, architecture.before_unembedding)
    if projection is not None:
        direction = weight_of(projection).detach().double().cpu() @ direction
    return direction


def _module_or_none(model: nn.Module, path: str) -> nn.Module | None:
    """Return the module at a path, or None where the model has none there."""
    parent, _, name = path.rpartition(".")
    module = getattr(model.get_submodule(parent), name, None) if path else None
    return module if isinstance(module, nn.Module) else None
