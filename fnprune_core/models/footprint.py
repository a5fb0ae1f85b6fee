"""Size and work of a model: parameters, bytes and operations, before and after a cut."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from fnprune_core.inputs.records import record_of
from fnprune_core.models.architectures import (
    Architecture,
    experts_of,
    feeding_modules,
    layers_of,
    output_projections,
)
from fnprune_core.models.attention import AttentionLayout, group_parameters
from fnprune_core.models.attention_modules import UNPROVEN
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.mixtures.units import ExpertUnits
from fnprune_core.models.projections import n_parameters, n_values, weight_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The size of a model and the work of a token.

    Parameters
    ----------
    n_parameters, n_bytes : int
    macs_per_token : int
        Multiplications with an addition each (two floating-point operations) for one token that
        attends to a given context, norms and activation functions aside.
    """

    n_parameters: int
    n_bytes: int
    macs_per_token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """The numbers of a dense model from which the footprint of any cut follows.

    Parameters
    ----------
    n_parameters, parameter_bytes : int
        Of the whole model, shared parameters once.
    matrix_macs : int
        Entries of all matrices that a token is multiplied with: those of the layers and the
        unembedding; the embedding is only looked up.
    n_heads_in_all, head_size : int
        Query heads of all layers, and dimensions of one.
    n_groups, heads_per_group : int
        KV groups of all layers, and query heads of one.
    parameters_per_group, macs_per_group : int
        What goes with one KV group: its rows and columns, biases; alike in all layers.
    dtype : str
        Of the weights.
    parameters_per_unit, macs_per_unit : tuple of int
        What goes with one MLP unit, in each layer: its column, the rows that feed it, biases.
    """

    n_parameters: int
    parameter_bytes: int
    matrix_macs: int
    n_heads_in_all: int
    head_size: int
    n_groups: int
    heads_per_group: int
    parameters_per_group: int
    macs_per_group: int
    dtype: str
    parameters_per_unit: tuple[int, ...]
    macs_per_unit: tuple[int, ...]

    @classmethod
    def of(cls, language_model: LanguageModel) -> "Dimensions":
        """Return the dimensions of a model in memory."""
        model, architecture = language_model.model, language_model.architecture
        anatomy = language_model.anatomy()
        attention = None if architecture.attention is UNPROVEN else language_model.attention
        parameters, macs = [], []
        for layer, module in enumerate(output_projections(model, architecture)):
            modules = [module, *feeding_modules(model, architecture, layer)]
            width = anatomy.widths[layer]
            biases = sum(n_parameters(m) - n_values(m) for m in modules[1:])
            entries = sum(map(n_values, modules))
            parameters.append(entries // width + biases // width)
            seen = module.n_units_seen if isinstance(module, ExpertUnits) else width
            macs.append(entries * seen // width**2)
        layers = layers_of(model, architecture)
        matrices = _matrix_entries(layers)
        matrices += sum(_chosen_entries(layer, architecture) for layer in layers)
        if architecture.before_unembedding and _has_module(model, architecture.before_unembedding):
            matrices += weight_of(model.get_submodule(architecture.before_unembedding)).numel()
        return cls(
            n_parameters=anatomy.n_parameters,
            parameter_bytes=anatomy.parameter_bytes,
            matrix_macs=matrices + weight_of(model.get_output_embeddings()).numel(),
            n_heads_in_all=anatomy.n_layers * anatomy.n_heads,
            head_size=anatomy.head_size,
            n_groups=attention.groups.n_units if attention else 0,
            heads_per_group=anatomy.n_heads // anatomy.n_kv_heads,
            parameters_per_group=group_parameters(model, architecture, attention, 0)
            if attention
            else 0,
            macs_per_group=_group_matrix_entries(language_model, attention) if attention else 0,
            dtype=anatomy.dtype,
            parameters_per_unit=tuple(parameters),
            macs_per_unit=tuple(macs),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Dimensions":
        """Return the dimensions that `to_json` wrote."""
        return record_of(cls, value)

    def to_json(self) -> dict[str, Any]:
        """Return the dimensions as a JSON object."""
        return asdict(self)

    def footprint(
        self, removed: Sequence[int], *, context: int, removed_groups: int = 0
    ) -> Footprint:
        """Return the footprint without so many units of each layer, and so many KV groups in all.

        MACs = entries of all matrices + 2 · heads · head size · context: each head compares its
        query with the context's keys and sums the context's values.
        """
        parameters = self.n_parameters - _weighted_sum(removed, self.parameters_per_unit)
        parameters -= removed_groups * self.parameters_per_group
        n_heads = self.n_heads_in_all - removed_groups * self.heads_per_group
        matrices = self.matrix_macs - _weighted_sum(removed, self.macs_per_unit)
        matrices -= removed_groups * self.macs_per_group
        return Footprint(
            n_parameters=parameters,
            n_bytes=round(self.parameter_bytes * parameters / self.n_parameters),
            macs_per_token=matrices + 2 * n_heads * self.head_size * context,
        )


def _weighted_sum(counts: Sequence[int], costs: Sequence[int]) -> int:
    return sum(int(count) * cost for count, cost in zip(counts, costs, strict=True))


def _group_matrix_entries(language_model: LanguageModel, attention: AttentionLayout) -> int:
    """Return the entries of the first layer's attention matrices that belong to one KV group."""
    architecture = language_model.architecture
    layer = layers_of(language_model.model, architecture)[0]
    paths = [architecture.attention.output, *(f.path for f in architecture.attention.feeding)]
    entries = sum(weight_of(layer.get_submodule(path)).numel() for path in paths)
    return entries // attention.groups.widths[0]


def _has_module(model: nn.Module, path: str) -> bool:
    try:
        return model.get_submodule(path) is not None
    except AttributeError:
        return False


def _chosen_entries(layer: nn.Module, architecture: Architecture) -> int:
    """Return the entries of the experts' matrices that a token is multiplied with."""
    experts = experts_of(layer, architecture)
    if experts is None:
        return 0
    held = sum(p.numel() for p in layer.parameters() if p.ndim == 3)
    return held * experts.n_chosen // experts.n_routed


def _matrix_entries(layers: Sequence[nn.Module]) -> int:
    return sum(p.numel() for layer in layers for p in layer.parameters() if p.ndim == 2)
