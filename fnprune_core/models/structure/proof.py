"""Prove that units are what their architecture says: cut some of a layer's, and compare.

Silencing units (their activations times zero) and cutting them (rows and columns gone) must give
the same output. Where a norm runs over the units, or a module mixes them between tokens, it does
not, and such a model is refused.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as trees

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import (
    Architecture,
    attach_experts,
    cut_units,
    experts_of,
    layers_of,
    output_of,
    output_path,
    output_projections,
)
from fnprune_core.models.attention import attention_layout
from fnprune_core.models.attention_modules import UNPROVEN
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.modeling_per_layer import set_head_counts
from fnprune_core.models.projections import bias_of, cut_rows, kept_part, replace_weight, weight_of
from fnprune_core.models.structure.proposals import (
    completed,
    completed_attention,
    propose,
    propose_attention,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_N_TOKENS = 6
#: Largest difference of outputs in float32, over their largest value.
_TOLERANCE = 1e-4
#: Least effect of silencing, over the largest difference: less, and the comparison says nothing.
_LEAST_POWER = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProof:
    """How far a silenced and a cut layer are apart.

    Parameters
    ----------
    layer : int
        -1 for the whole model.
    difference : float
        Largest difference of their outputs, over the largest output.
    effect : float
        The same between the whole layer and the silenced one.
    reason : str
        Why nothing could be compared; empty where it was.
    """

    layer: int
    difference: float = 0.0
    effect: float = 0.0
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether silencing and cutting are the same, and silencing is something."""
        return (
            not self.reason
            and self.difference <= _TOLERANCE
            and self.effect > _LEAST_POWER * self.difference
        )

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        if self.reason:
            return f"layer {self.layer}: {self.reason}"
        place = "logits" if self.layer < 0 else f"layer {self.layer}"
        return (
            f"{place}: outputs of the cut and of the silenced layer differ by "
            f"{self.difference:.1e} of the largest; silencing alone changes {self.effect:.1e}"
        )


def proven_architecture(model: "PreTrainedModel") -> Architecture:
    """Return what a model's units are, found by structure and proven on its kinds of layers.

    Raises
    ------
    UnsupportedArchitectureError
        If nothing that the shapes propose holds, with what differed; or if tokens see later ones.
    """
    _check_causal(model)
    failures = []
    for proposal in propose(model):
        attach_experts(model, proposal)
        layers = _telling_layers(model, proposal)
        failed = [proof for proof in prove_units(model, proposal, layers) if not proof.holds]
        if not failed:
            found = completed(model, proposal)
            return _with_attention(model, _with_norms(model, found), layers)
        failures.append(f"{proposal.output_projection} ({failed[0].sentence})")
    raise UnsupportedArchitectureError(
        f"Models of type {model.config.model_type!r} are not supported: no unit can be cut so "
        f"that the others stay as they are. Tried {'; '.join(failures)}.",
        hint="A norm over the units, or a module that mixes them, does that.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProof:
    """What silencing and cutting agree on, over all of a model.

    Parameters
    ----------
    units : str
        Path from a layer to the projection that the units enter, and to what feeds them.
    n_layers : int
    n_proven_layers : int
        Layers whose MLP gives the same output when units are cut and when they are silenced.
    layer_difference, layer_effect : float
        Largest difference between the two over all layers, and least effect of silencing, both
        over the largest output, in float32.
    logits_difference, logits_effect : float
        The same of the whole model's logits, in the model's dtype.
    heads : str
        Where KV groups are cut, or why they are not.
    """

    units: str
    n_layers: int
    n_proven_layers: int
    layer_difference: float
    layer_effect: float
    logits_difference: float
    logits_effect: float
    heads: str


def prove_model(model: "PreTrainedModel", architecture: Architecture) -> ModelProof:
    """Cut a third of all units from copies, layer by layer and in the whole model, and compare."""
    layers = range(len(layers_of(model, architecture)))
    proofs = prove_units(model, architecture, layers)
    logits = prove_logits(model, architecture)
    try:
        groups = prove_groups(model, architecture, layers)
        failed = [proof for proof in groups if not proof.holds]
        heads = failed[0].sentence if failed else f"{architecture.attention.output}: proven"
    except UnsupportedArchitectureError as error:
        heads = error.message
    return ModelProof(
        units=f"{', '.join(architecture.feeding)} → {architecture.output_projection}",
        n_layers=len(layers),
        n_proven_layers=sum(proof.holds for proof in proofs),
        layer_difference=max(proof.difference for proof in proofs),
        layer_effect=min(proof.effect for proof in proofs),
        logits_difference=logits.difference,
        logits_effect=logits.effect,
        heads=heads,
    )


def prove_units(
    model: "PreTrainedModel", architecture: Architecture, layers: Sequence[int]
) -> list[LayerProof]:
    """Cut every third unit of each of `layers` from a copy, and compare with silencing them.

    Memory: one layer's MLP in float32, and two thirds of it again.
    """

    def cut(layer: nn.Module) -> Tensor:
        return _cut_units(architecture, layer)

    def output(layer: nn.Module) -> str:
        return output_path(layer, architecture)

    return _prove(model, architecture, layers, output, cut)


def prove_logits(model: "PreTrainedModel", architecture: Architecture) -> LayerProof:
    """Cut every third unit of all layers from a copy, and compare its logits in the model's dtype.

    The copy shares all weights but those that are cut: memory is two thirds of the MLPs'.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    smaller = copy.deepcopy(model, shared)
    with torch.no_grad():
        kept = [_cut_units(architecture, layer) for layer in layers_of(smaller, architecture)]
    ids = _few_tokens(model)
    whole = _logits(model, ids)
    with edit_projections(
        output_projections(model, architecture),
        edit_input=lambda layer, x: _silent_but(kept[layer], x),
    ):
        silent = _logits(model, ids)
    difference, effect = _apart(whole, silent, _logits(smaller, ids))
    return LayerProof(layer=-1, difference=difference, effect=effect)


def _cut_units(architecture: Architecture, layer: nn.Module) -> Tensor:
    """Cut every third unit out of a layer, and a whole expert; return those that stay.

    The layer is changed.
    """
    experts = experts_of(layer, architecture)
    output = output_of(layer, architecture)
    width = weight_of(output).shape[1] if experts is None else experts.n_units
    kept = torch.arange(width, dtype=torch.int64)
    stays = kept % 3 > 0
    if experts is not None:
        stays &= kept >= experts.expert_sizes[0]
    kept = kept[stays]
    cut_units(layer, architecture, kept)
    return kept


def _cut_columns(output: nn.Module, kept: Tensor) -> None:
    replace_weight(output, kept_part(weight_of(output), kept, dim=1), bias_of(output))


def _silent_but(kept: Tensor, x: Tensor) -> Tensor:
    if x.numel() != _N_TOKENS * x.shape[-1]:
        raise ValueError(f"{x.numel() // x.shape[-1]} rows of activations for {_N_TOKENS} tokens")
    scale = torch.zeros(x.shape[-1], dtype=x.dtype, device=x.device)
    scale[kept.to(x.device)] = 1
    return x * scale


def prove_groups(
    model: "PreTrainedModel", architecture: Architecture, layers: Sequence[int]
) -> list[LayerProof]:
    """Cut the first KV group of each of `layers` from a copy, and compare with silencing it."""
    layout, attention = attention_layout(model, architecture), architecture.attention
    n_groups = layout.groups.widths[0]
    groups = np.arange(1, n_groups)
    if not len(groups):
        return [LayerProof(layer=layers[0], reason="it has one KV group only")]

    def cut(layer: nn.Module) -> Tensor:
        for feeding in attention.feeding:
            rows = torch.from_numpy(layout.rows(feeding, groups, n_groups))
            cut_rows(layer.get_submodule(feeding.path), rows)
        kept = torch.from_numpy(layout.dimensions(groups))
        _cut_columns(layer.get_submodule(attention.output), kept)
        set_head_counts(layer, layout.counts(attention), len(groups))
        return kept

    return _prove(model, architecture, layers, lambda _: attention.output, cut)


def _prove(
    model: "PreTrainedModel",
    architecture: Architecture,
    layers: Sequence[int],
    output: Callable[[nn.Module], str],
    cut: Callable[[nn.Module], Tensor],
) -> list[LayerProof]:
    """Compare cut and silenced copies of layers; `cut` changes a layer and says what it kept."""
    modules = [layers_of(model, architecture)[layer] for layer in layers]
    paths = [output(module) for module in modules]
    holders = [path.rpartition(".")[0] for path in paths]
    calls = _calls(
        model,
        [module.get_submodule(holder) for module, holder in zip(modules, holders, strict=True)],
    )
    proofs = []
    for layer, module, path, holder, call in zip(
        layers, modules, paths, holders, calls, strict=True
    ):
        if call is None:
            proofs.append(LayerProof(layer=layer, reason=f"{holder or 'it'} is not called"))
            continue
        try:
            difference, effect = _compare(module, holder, path, cut, call)
            proofs.append(LayerProof(layer=layer, difference=difference, effect=effect))
        except Exception as error:  # noqa: BLE001 -- a wrong cut fails anywhere in a model's code
            reason = (str(error).splitlines() or [""])[0]
            proofs.append(LayerProof(layer=layer, reason=f"{type(error).__name__}: {reason}"))
    return proofs


def _compare(
    module: nn.Module,
    holder: str,
    output: str,
    cut: Callable[[nn.Module], Tensor],
    call: tuple[tuple[Any, ...], dict[str, Any]],
) -> tuple[float, float]:
    """Return the difference of cut from silenced and of silenced from whole, in float32."""
    whole, smaller = _in_float32(module, holder)
    with torch.no_grad():
        kept = cut(smaller)
    results = [_output(whole.get_submodule(holder), call)]
    with edit_projections(
        [whole.get_submodule(output)], edit_input=lambda _, x: _silent_but(kept, x)
    ):
        results.append(_output(whole.get_submodule(holder), call))
    results.append(_output(smaller.get_submodule(holder), call))
    return _apart(*results)


def _in_float32(module: nn.Module, holder: str) -> tuple[nn.Module, nn.Module]:
    """Return two copies of a layer that share all tensors, those of `holder` in float32."""
    part = module.get_submodule(holder)
    tensors: dict[int, Any] = {id(each): each for each in (*module.parameters(), *module.buffers())}
    for parameter in part.parameters():
        if parameter.is_floating_point():
            tensors[id(parameter)] = nn.Parameter(parameter.detach().float(), requires_grad=False)
    for buffer in part.buffers():
        tensors[id(buffer)] = buffer.float() if buffer.is_floating_point() else buffer
    return copy.deepcopy(module, dict(tensors)), copy.deepcopy(module, dict(tensors))


def _apart(whole: Tensor, silent: Tensor, smaller: Tensor) -> tuple[float, float]:
    """Return how far cut is from silenced, and silenced from whole, over the largest value."""
    largest = max(float(whole.abs().max()), 1e-30)
    return (
        float((smaller - silent).abs().max()) / largest,
        float((silent - whole).abs().max()) / largest,
    )


def _output(module: nn.Module, call: tuple[tuple[Any, ...], dict[str, Any]]) -> Tensor:
    """Return the first tensor that a module gives for the arguments of a call, in float32."""

    def fresh(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.float().clone() if value.is_floating_point() else value.clone()

    args, kwargs = trees.tree_map(fresh, call)
    with torch.inference_mode():
        result = module(*args, **kwargs)
    first: Tensor = next(leaf for leaf in trees.tree_leaves(result) if isinstance(leaf, Tensor))
    return first


def _calls(
    model: "PreTrainedModel", modules: Sequence[nn.Module]
) -> list[tuple[tuple[Any, ...], dict[str, Any]] | None]:
    """Return the arguments with which each module is called while the model reads a few tokens."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]] | None] = [None] * len(modules)

    def hook_for(index: int) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls[index] = (args, kwargs)

        return hook

    with ExitStack() as stack:
        for index, module in enumerate(modules):
            handle = module.register_forward_pre_hook(hook_for(index), with_kwargs=True)
            stack.callback(handle.remove)
        _logits(model, _few_tokens(model))
    return calls


def _few_tokens(model: "PreTrainedModel") -> Tensor:
    embedding = weight_of(model.get_input_embeddings())
    size = embedding.shape[0]
    numbers = torch.arange(_N_TOKENS, dtype=torch.int64, device=embedding.device)
    return ((numbers * 7 + 5) % size)[None]


def _logits(model: "PreTrainedModel", ids: Tensor) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = model.eval()(ids, use_cache=False).logits
    return logits.float()


def _check_causal(model: "PreTrainedModel") -> None:
    """Refuse a model in which a token changes what is predicted before it."""
    ids = _few_tokens(model)
    try:
        before = _logits(model, ids)[:, :-1]
    except Exception as error:  # models fail in their own ways where they want more than text
        raise UnsupportedArchitectureError(
            f"A model of type {model.config.model_type!r} does not read a few tokens of text: "
            f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}.",
            hint="Models that need a picture, a sound or another text beside it cannot be used.",
        ) from error
    changed = ids.clone()
    changed[0, -1] = (changed[0, -1] + 1) % weight_of(model.get_input_embeddings()).shape[0]
    after = _logits(model, changed)[:, :-1]
    if not torch.allclose(before, after, rtol=1e-2, atol=1e-2 * float(before.abs().max())):
        raise UnsupportedArchitectureError(
            f"Models of type {model.config.model_type!r} read a text in both directions.",
            hint="fnprune works on models that predict the next token from those before it.",
        )


def _telling_layers(model: "PreTrainedModel", architecture: Architecture) -> list[int]:
    """Return the first layer of each kind, and the last: those that a proof is made on."""
    layers = layers_of(model, architecture)
    kinds: dict[tuple[type, ...], int] = {}
    for index, layer in enumerate(layers):
        kinds.setdefault(tuple(type(module) for module in layer.modules()), index)
    return sorted({*kinds.values(), len(layers) - 1})


def _with_norms(model: "PreTrainedModel", architecture: Architecture) -> Architecture:
    """Return the architecture with the norm between MLP and stream, and the norms' offset."""
    layer = layers_of(model, architecture)[0]
    path = output_path(layer, architecture).rpartition(".")[0]
    norms = [
        name for name, module in layer.named_children() if "norm" in type(module).__name__.lower()
    ]
    outputs: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in (*norms, path):
            module = layer.get_submodule(name)

            def hook(_: nn.Module, args: Any, output: Any, name: str = name) -> None:
                inputs[name], outputs[name] = args[0] if args else None, output

            stack.callback(module.register_forward_hook(hook).remove)
        _logits(model, _few_tokens(model))
    after = [name for name in norms if path and inputs.get(name) is outputs.get(path)]
    norm = architecture.final_norm
    return replace(
        architecture,
        output_norm=after[0] if after else "",
        gain_offset=_gain_offset(model.get_submodule(norm)) if norm else 0.0,
    )


def _gain_offset(norm: nn.Module) -> float:
    """Return what a norm adds to its weight before it multiplies by it: 1 for Gemma's, else 0."""
    weight = getattr(norm, "weight", None)
    if isinstance(norm, nn.LayerNorm) or weight is None:
        return 0.0
    weight = weight.detach()
    alternating = torch.ones_like(weight)
    alternating[1::2] = -1  # of mean 0 and mean square 1, so that it is what is multiplied
    with torch.inference_mode():
        gain = norm(alternating[None])[0] * alternating
    return float(round(float((gain - weight).float().mean())))


def _with_attention(
    model: "PreTrainedModel", architecture: Architecture, layers: Sequence[int]
) -> Architecture:
    """Return the architecture with its KV groups, where a cut proves how they lie."""
    for attention in propose_attention(model, architecture):
        proposal = replace(architecture, attention=attention)
        try:
            proofs = prove_groups(model, proposal, layers)
        except UnsupportedArchitectureError:
            continue
        if all(proof.holds for proof in proofs):
            return replace(architecture, attention=completed_attention(model, proposal))
    return replace(architecture, attention=UNPROVEN)
