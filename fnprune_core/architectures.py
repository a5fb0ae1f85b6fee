"""One row per model family: where a layer's units live, and how their weights are cut.

A unit is one input column of the MLP's output projection. Everything that knows the names of
modules, `Conv1D`'s transposed weights or a config's attribute for the width stands here.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.layout import UnitLayout

BiasHome = Literal["always", "switch", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What fnprune needs to know of a model family.

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
    final_norm : str
        Path from the causal model to the norm before the unembedding.
    width_attribute : str
        Config attribute with the number of units in a layer.
    bias_home : {"always", "switch", "none"}
        Whether the output projection has a bias, gets one by a config switch, or can't have one.
    bias_switch : str
        The config attribute that gives every MLP projection a bias, for ``"switch"``.
    """

    family: str
    model_types: tuple[str, ...]
    layers: str
    output_projection: str
    feeding: tuple[str, ...]
    final_norm: str
    width_attribute: str
    bias_home: BiasHome
    bias_switch: str = ""


_GATED = ("mlp.gate_proj", "mlp.up_proj")

ARCHITECTURES: dict[str, Architecture] = {
    row.family: row
    for row in (
        Architecture(
            family="Llama",
            model_types=("llama",),
            layers="model.layers",
            output_projection="mlp.down_proj",
            feeding=_GATED,
            final_norm="model.norm",
            width_attribute="intermediate_size",
            bias_home="switch",
            bias_switch="mlp_bias",
        ),
        Architecture(
            family="Mistral",
            model_types=("mistral",),
            layers="model.layers",
            output_projection="mlp.down_proj",
            feeding=_GATED,
            final_norm="model.norm",
            width_attribute="intermediate_size",
            bias_home="none",
        ),
        Architecture(
            family="Qwen2",
            model_types=("qwen2",),
            layers="model.layers",
            output_projection="mlp.down_proj",
            feeding=_GATED,
            final_norm="model.norm",
            width_attribute="intermediate_size",
            bias_home="none",
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
        ),
    )
}


def supported_families() -> str:
    """Return the families and their model types as one readable line."""
    return ", ".join(
        f"{row.family} ({', '.join(row.model_types)})" for row in ARCHITECTURES.values()
    )


def architecture_for(config: PretrainedConfig) -> Architecture:
    """Return the row that serves a config.

    Raises
    ------
    UnsupportedArchitectureError
        If no row names the config's ``model_type``.
    """
    for row in ARCHITECTURES.values():
        if config.model_type in row.model_types:
            return row
    raise UnsupportedArchitectureError(
        f"Models of type {config.model_type!r} are not supported: no row in the table of "
        "architectures says where their MLP's output projection is.",
        hint=f"These families work: {supported_families()}.",
    )


def layers_of(model: PreTrainedModel, architecture: Architecture) -> list[nn.Module]:
    """Return the model's layers, first to last."""
    return list(model.get_submodule(architecture.layers).children())


def output_projections(model: PreTrainedModel, architecture: Architecture) -> list[nn.Module]:
    """Return the output projection of each layer's MLP."""
    return [
        layer.get_submodule(architecture.output_projection)
        for layer in layers_of(model, architecture)
    ]


def feeding_modules(
    model: PreTrainedModel, architecture: Architecture, layer: int
) -> list[nn.Module]:
    """Return the modules whose outputs become the units of `layer`."""
    module = layers_of(model, architecture)[layer]
    return [module.get_submodule(path) for path in architecture.feeding]


def weight_of(module: nn.Module) -> Tensor:
    """Return a projection's weight as (outputs, inputs), whichever way it is stored."""
    weight = module.get_parameter("weight")
    return weight.T if isinstance(module, Conv1D) else weight


def bias_of(module: nn.Module) -> Tensor | None:
    """Return a projection's bias (outputs,), or None."""
    bias = getattr(module, "bias", None)
    return bias if isinstance(bias, Tensor) else None


def unit_layout(model: PreTrainedModel, architecture: Architecture) -> UnitLayout:
    """Return the number of units per layer, after checking that the modules fit together.

    Raises
    ------
    UnsupportedArchitectureError
        If a module is missing, or a feeding module's outputs are not the projection's inputs.
    """
    widths = []
    for index, layer in enumerate(layers_of(model, architecture)):
        try:
            projection = layer.get_submodule(architecture.output_projection)
            width = weight_of(projection).shape[1]
            n_outputs = [
                weight_of(layer.get_submodule(path)).shape[0] for path in architecture.feeding
            ]
        except AttributeError as error:
            raise UnsupportedArchitectureError(
                f"Layer {index} lacks a module or weight that the family {architecture.family} "
                f"has: {error}.",
                hint=f"Looked for the weights of {architecture.output_projection} and "
                f"{', '.join(architecture.feeding)}. Quantised checkpoints have others; GGUF "
                "files work.",
            ) from error
        for path, n in zip(architecture.feeding, n_outputs, strict=True):
            if n != width:
                raise UnsupportedArchitectureError(
                    f"Layer {index}: {path} has {n} outputs, "
                    f"{architecture.output_projection} has {width} inputs.",
                    hint="fnprune cannot tell what the units of this model are.",
                )
        widths.append(width)
    return UnitLayout(tuple(widths))


def replace_weight(module: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give a projection new parameters; `weight` is (outputs, inputs) for every kind.

    The module's own widths are updated with them.
    """
    outputs, inputs = weight.shape
    stored = weight.T if isinstance(module, Conv1D) else weight
    requires_grad = module.get_parameter("weight").requires_grad
    module.register_parameter(
        "weight", nn.Parameter(stored.contiguous().clone(), requires_grad=requires_grad)
    )
    module.register_parameter(
        "bias",
        None if bias is None else nn.Parameter(bias.clone(), requires_grad=requires_grad),
    )
    if isinstance(module, Conv1D):
        module.nf, module.nx = outputs, inputs
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = outputs, inputs


def output_column_norms(
    model: PreTrainedModel, architecture: Architecture, *, power: Literal[1, 2] = 2
) -> Tensor:
    """Return Σ|W[:, j]|^power of each unit's output column, float64 on the CPU: (n_units,)."""
    with torch.no_grad():
        return torch.cat(
            [
                weight_of(projection).cpu().double().abs().pow(power).sum(dim=0)
                for projection in output_projections(model, architecture)
            ]
        )


def feeding_row_norms(model: PreTrainedModel, architecture: Architecture) -> Tensor:
    """Return the product of ‖row‖² over the modules that feed each unit: (n_units,), float64."""
    parts = []
    with torch.no_grad():
        for layer in layers_of(model, architecture):
            norms = [
                weight_of(layer.get_submodule(path)).cpu().double().square().sum(dim=1)
                for path in architecture.feeding
            ]
            parts.append(torch.stack(norms).prod(dim=0))
    return torch.cat(parts)
