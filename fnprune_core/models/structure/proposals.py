"""Find a model's units by structure: names and shapes propose, a cut layer proves.

A unit is an input column of an MLP's output projection. Most models that transformers knows keep
it in a module with one projection back to the residual stream and one or two that feed it, under
names that differ from family to family. `propose` lists the places where the shapes fit;
`fnprune_core.models.structure.proof` then cuts units there and compares.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import Architecture, BiasHome, text_config, value_of
from fnprune_core.models.attention_modules import AttentionModules, Feeding, HeadCount
from fnprune_core.models.projections import bias_of, weight_of
from fnprune_core.models.structure.mixtures import is_mixture, propose_mixtures
from fnprune_core.models.structure.shapes import feeding_names, projections

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

#: Parts of the names of modules that hold an MLP; others are tried after these.
_MLP_NAMES = ("mlp", "ffn", "feed_forward", "feedforward")
#: Names of attributes that count heads in an attention module, by what they count.
_COUNT_NAMES = {
    "heads": ("num_heads", "n_heads", "num_attention_heads", "n_head"),
    "groups": ("num_key_value_heads", "num_kv_heads", "n_kv_heads"),
    "dimensions": ("split_size", "embed_dim", "inner_dim", "hidden_size", "d_model"),
}


def propose(model: "PreTrainedModel") -> Iterator[Architecture]:
    """Yield what the model's units may be, the likeliest first; nothing is computed.

    Raises
    ------
    UnsupportedArchitectureError
        If no list of layers has an MLP of two or three matrices in every layer.
    """
    config = text_config(model)
    if not isinstance(value_of(config, "num_attention_heads"), int):
        raise UnsupportedArchitectureError(
            f"Models of type {model.config.model_type!r} are not supported: their config counts no "
            "attention heads, or differently many in each layer.",
            hint="fnprune works on decoders with attention: Llama, Qwen, Mistral, GPT and alike.",
        )
    reason = "no list of its layers has an MLP of two or three matrices in every layer"
    for path, layers in _layer_lists(model, int(config.num_hidden_layers)):
        hidden = int(config.hidden_size)
        dense = [layer for layer in layers if not is_mixture(layer)]
        found = _mlps(path, dense, hidden) if dense else []
        if len(dense) < len(layers):
            found = propose_mixtures(path, layers, hidden, found)
            reason = "its layers choose among experts that lie in no known form, or in two places"
        for proposal in found:
            reason = ""
            yield proposal
    if reason:
        raise UnsupportedArchitectureError(
            f"Models of type {model.config.model_type!r} are not supported: {reason}.",
            hint="fnprune works on decoders whose every layer has one MLP: Llama, Qwen, Mistral, "
            "Gemma, GPT and alike.",
        )


def _layer_lists(model: nn.Module, n_layers: int) -> Iterator[tuple[str, list[nn.Module]]]:
    """Yield the lists of modules that may be the decoder's layers: path and modules."""
    lists = [
        (path, list(module.children()))
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers
    ]
    # A list within a layer is no list of layers, and images have encoders of their own.
    outer = [each for each in lists if not any(each[0].startswith(f"{path}.") for path, _ in lists)]
    return iter(sorted(outer, key=lambda each: _sees(each[0])))


def _sees(path: str) -> bool:
    return any(word in path for word in ("vision", "visual", "audio", "image", "encoder"))


def _mlps(path: str, layers: list[nn.Module], hidden: int) -> list[Architecture]:
    """Return the MLPs that all layers have at the same place, the likeliest first."""
    shapes = [projections(layer) for layer in layers]
    ranked = []
    for parent, first in shapes[0].items():
        for output, (outputs, width) in first.items():
            feeding = feeding_names(first, output, hidden)
            if outputs != hidden or not feeding:
                continue
            names, n_fused = feeding
            if not all(
                feeding_names(each.get(parent, {}), output, hidden) == feeding for each in shapes
            ):
                continue
            start = f"{parent}." if parent else ""
            proposal = Architecture(
                family="",
                model_types=(),
                layers=path,
                output_projection=start + output,
                feeding=tuple(start + name for name in names),
                final_norm="",
                width_attribute="",
                bias_home="none",
                n_fused=n_fused,
            )
            ranked.append((not any(n in parent for n in _MLP_NAMES), -width, proposal))
    return [each[2] for each in sorted(ranked, key=lambda each: each[:2])]


def completed(model: "PreTrainedModel", proposal: Architecture) -> Architecture:
    """Return a proposal with what the rest of the model says: final norm, config and biases.

    Its config is changed and the model rebuilt without weights for that, a few times.
    """
    named = replace(
        proposal,
        family=_family(model),
        model_types=(model.config.model_type,),
        final_norm=_final_norm(model, proposal.layers),
    )
    if proposal.mixture is not None:
        return named  # what its config says of widths: `fnprune_core.pruning.mixture_widths`
    layers = list(model.get_submodule(proposal.layers).children())
    parent = proposal.output_projection.rpartition(".")[0]
    projection = layers[0].get_submodule(proposal.output_projection)
    gated = len(proposal.feeding) * proposal.n_fused > 1
    bias_home, switch = _bias_home(model, proposal.layers, proposal.output_projection)
    return replace(
        named,
        activation=_activation(layers[0], parent) if gated else "",
        width_attribute=_width_attribute(model, proposal, weight_of(projection).shape[1]),
        bias_home=bias_home,
        bias_switch=switch,
    )


def _family(model: "PreTrainedModel") -> str:
    name = type(model).__name__
    for ending in ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"):
        name = name.removesuffix(ending)
    return name


def _final_norm(model: nn.Module, layers: str) -> str:
    """Return the path of the norm that stands beside the list of layers, after it."""
    parent = layers.rpartition(".")[0]
    names = [
        name
        for name, module in model.get_submodule(parent).named_children()
        if "norm" in type(module).__name__.lower() and "embed" not in name and "emb" not in name
    ]
    return f"{parent}.{names[-1]}".lstrip(".") if names else ""


def _activation(layer: nn.Module, parent: str) -> str:
    """Return the path of the one module of an MLP that has no parameters and no dropout."""
    names = [
        name
        for name, module in layer.get_submodule(parent).named_children()
        if not isinstance(module, nn.Dropout)
        and not any(True for _ in module.parameters())
        and not any(True for _ in module.children())
    ]
    return f"{parent}.{names[0]}".lstrip(".") if len(names) == 1 else ""


def rebuilt(model: "PreTrainedModel", changes: dict[str, Any]) -> "PreTrainedModel | None":
    """Return the model without weights as a changed config builds it, or None if it does not.

    Parameters
    ----------
    changes : dict
        Values by their dotted path from the config, as in ``text_config.intermediate_size``.
    """
    config = copy.deepcopy(model.config)
    with suppress(Exception), torch.device("meta"):  # configs refuse with errors of every kind
        for path, value in changes.items():
            set_in_config(config, path, value)
        return type(model)(config)
    return None


def set_in_config(config: "PretrainedConfig", path: str, value: Any) -> None:
    """Set a value of a config, or of one that it holds, by its dotted path."""
    *holders, name = path.split(".")
    for holder in holders:
        config = getattr(config, holder)
    setattr(config, name, value)


def config_paths(model: "PreTrainedModel", matches: Callable[[str, Any], bool]) -> dict[str, Any]:
    """Return the text config's values for which `matches(name, value)`, by dotted path."""
    config = text_config(model)
    start = "".join(f"{name}." for name, value in vars(model.config).items() if value is config)
    values = config.to_dict().items()
    return {start + name: value for name, value in values if matches(name, value)}


def _width_attribute(model: "PreTrainedModel", proposal: Architecture, width: int) -> str:
    """Return the config's attribute that alone makes every layer's MLP narrower, or ""."""
    smaller = width // 2
    for path in config_paths(model, lambda _, value: type(value) is int and value == width):
        other = rebuilt(model, {path: smaller})
        if other is None or not _shapes_follow(model, other, proposal, smaller):
            continue
        return path
    return ""


def _shapes_follow(model: nn.Module, other: nn.Module, proposal: Architecture, width: int) -> bool:
    """Whether `other` differs from `model` in the shapes of the MLPs' projections alone."""
    expected = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    for index, layer in enumerate(model.get_submodule(proposal.layers).children()):
        start = f"{proposal.layers}.{index}."
        for path in (*proposal.feeding, proposal.output_projection):
            module = layer.get_submodule(path)
            outputs, inputs = weight_of(module).shape
            is_output = path == proposal.output_projection
            new = (outputs, width) if is_output else (proposal.n_fused * width, inputs)
            expected[f"{start}{path}.weight"] = new if isinstance(module, nn.Linear) else new[::-1]
            if bias_of(module) is not None and not is_output:
                expected[f"{start}{path}.bias"] = new[:1]
    return expected == {name: tuple(p.shape) for name, p in other.named_parameters()}


def _bias_home(model: "PreTrainedModel", layers: str, output: str) -> tuple[BiasHome, str]:
    """Return whether an output projection has a bias, or gets one by which switch of the config."""
    place = f"{layers}.0.{output}"
    if bias_of(model.get_submodule(place)) is not None:
        return "always", ""
    for path in config_paths(model, lambda name, value: "bias" in name and value is False):
        other = rebuilt(model, {path: True})
        if other is not None and bias_of(other.get_submodule(place)) is not None:
            return "switch", path
    return "none", ""


def propose_attention(
    model: "PreTrainedModel", architecture: Architecture
) -> Iterator[AttentionModules]:
    """Yield what the model's attention may be, the likeliest first; nothing is computed."""
    config = text_config(model)
    n_heads = int(config.num_attention_heads)
    n_groups = int(value_of(config, "num_key_value_heads") or n_heads)
    layer = next(iter(model.get_submodule(architecture.layers).children()))
    mlp = {architecture.output_projection, *architecture.feeding}
    for parent, shapes in projections(layer).items():
        start = f"{parent}." if parent else ""
        own = {name: shape for name, shape in shapes.items() if start + name not in mlp}
        outputs = [
            name
            for name, (n_outputs, inputs) in own.items()
            if n_outputs == int(config.hidden_size) and inputs % n_heads == 0
        ]
        for output in outputs[::-1]:
            readers = {name: shape[0] for name, shape in own.items() if name != output}
            for feeding in _attention_feeding(
                readers, start, n_heads, n_groups, own[output][1] // n_heads
            ):
                for counts in _head_counts(layer.get_submodule(parent), parent, n_heads, n_groups):
                    yield AttentionModules(output=start + output, feeding=feeding, counts=counts)


def _attention_feeding(
    readers: dict[str, int], start: str, n_heads: int, n_groups: int, head_size: int
) -> list[tuple[Feeding, ...]]:
    """Return how the modules beside an attention's output may hold queries, keys and values."""
    sizes = {"q": n_heads * head_size, "k": n_groups * head_size, "v": n_groups * head_size}
    if len(readers) == len(sizes):
        by_letter = {
            letter: [name for name in readers if _letter(name) == letter] for letter in sizes
        }
        if all(
            len(names) == 1 and readers[names[0]] == sizes[letter]
            for letter, names in by_letter.items()
        ):
            return [
                tuple(
                    Feeding(path=start + by_letter[letter][0], parts=(letter,)) for letter in sizes
                )
            ]
    if list(readers.values()) == [sum(sizes.values())]:
        path = start + next(iter(readers))
        return [(Feeding(path=path, parts=parts),) for parts in (("q", "k", "v"), ("qkv",))]
    return []


def _letter(name: str) -> str:
    for letter, word in (("q", "query"), ("k", "key"), ("v", "value")):
        if name.startswith(letter) or word in name:
            return letter
    return ""


def _head_counts(
    attention: nn.Module, path: str, n_heads: int, n_groups: int
) -> list[tuple[HeadCount, ...]]:
    """Return which attributes of an attention may have to follow a cut: none, then more."""
    counts = [
        HeadCount(module=path, attribute=name, counts=kind)  # type: ignore[arg-type]
        for kind, names in _COUNT_NAMES.items()
        for name in names
        if isinstance(getattr(attention, name, None), int)
    ]
    heads = tuple(each for each in counts if each.counts != "dimensions")
    config = getattr(attention, "config", None)
    in_config = tuple(
        HeadCount(module=path, attribute=f"config.{name}", counts=kind)  # type: ignore[arg-type]
        for kind, name in (("heads", "num_attention_heads"), ("groups", "num_key_value_heads"))
        if isinstance(getattr(config, name, None), int)
    )
    return list(dict.fromkeys(((), heads, tuple(counts), heads + in_config)))


def completed_attention(model: "PreTrainedModel", architecture: Architecture) -> AttentionModules:
    """Return an architecture's attention with its bias, and whether a config says a head's size."""
    attention = architecture.attention
    bias_home, switch = _bias_home(model, architecture.layers, attention.output)
    return replace(
        attention,
        bias_home=bias_home,
        bias_switch=switch,
        has_head_size=isinstance(value_of(text_config(model), "head_dim"), int),
    )
