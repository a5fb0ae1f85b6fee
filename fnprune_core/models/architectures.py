"""Where a layer's units live in a model family, and how their weights are cut.

A row of the table is what `fnprune_core.models.structure` finds by itself, written down: it keeps
the family's name, which fingerprints hold, and spares the search at each load.

A unit is one input column of the MLP's output projection. Everything that knows the names of
modules, `Conv1D`'s transposed weights or a config's attribute for the width stands here.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

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
from fnprune_core.models.mixtures.units import ExpertUnits, attach
from fnprune_core.models.projections import (
    bias_of,
    cut_rows,
    kept_part,
    replace_weight,
    shape_of,
    weight_of,
)

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

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


def attach_experts(model: "PreTrainedModel", architecture: Architecture) -> None:
    """Give each mixture of a model its `ExpertUnits`; nothing that it computes changes."""
    if architecture.mixture is not None:
        for layer in layers_of(model, architecture):
            attach(layer, architecture.mixture, architecture.n_fused)


def experts_of(layer: nn.Module, architecture: Architecture) -> ExpertUnits | None:
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
