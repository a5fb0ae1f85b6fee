"""Cut KV groups out of a copy of a model: rows of queries, keys and values, columns of outputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fnprune_core.models.architectures import (
    Architecture,
    bias_of,
    layers_of,
    replace_weight,
    weight_of,
)
from fnprune_core.models.attention import AttentionLayout, attention_outputs, kept_groups
from fnprune_core.models.modeling_per_layer import set_head_counts
from fnprune_core.models.silencing import AttentionCut

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def new_bias(projection: nn.Module, added: Tensor | None) -> Tensor | None:
    """Return a projection's bias with a refit's added to it, or None where there is none."""
    bias = bias_of(projection)
    if added is None:
        return bias
    weight = weight_of(projection)
    added = added.to(weight.device, torch.float32)
    return (added if bias is None else bias.float() + added).to(weight.dtype)


def slice_heads(
    model: "PreTrainedModel",
    architecture: Architecture,
    layout: AttentionLayout,
    cuts: Sequence[AttentionCut],
) -> None:
    """Cut each layer's KV groups out of `model`, which is changed, and put their refits in."""
    kept = kept_groups(layout, [cut.removed for cut in cuts])
    with torch.no_grad():
        for layer, (module, cut, groups) in enumerate(
            zip(layers_of(model, architecture), cuts, kept, strict=True)
        ):
            n_groups = layout.groups.widths[layer]
            for feeding in architecture.attention.feeding:
                projection = module.get_submodule(feeding.path)
                weight, bias = weight_of(projection), bias_of(projection)
                rows = torch.from_numpy(layout.rows(feeding, groups, n_groups)).to(weight.device)
                replace_weight(projection, weight[rows], None if bias is None else bias[rows])
            output = module.get_submodule(architecture.attention.output)
            weight = weight_of(output)
            index = torch.from_numpy(layout.dimensions(groups)).to(weight.device)
            columns = weight[:, index] if cut.columns is None else cut.columns.to(weight)
            replace_weight(output, columns, new_bias(output, cut.bias))
            set_head_counts(module, _head_counts(architecture, layout), len(groups))


def mask_heads(
    model: "PreTrainedModel",
    architecture: Architecture,
    layout: AttentionLayout,
    cuts: Sequence[AttentionCut],
) -> None:
    """Set the weights of each layer's KV groups to zero in `model`, which is changed."""
    kept = kept_groups(layout, [cut.removed for cut in cuts])
    with torch.no_grad():
        for layer, (module, cut, groups) in enumerate(
            zip(layers_of(model, architecture), cuts, kept, strict=True)
        ):
            n_groups = layout.groups.widths[layer]
            for feeding in architecture.attention.feeding:
                projection = module.get_submodule(feeding.path)
                weight, bias = weight_of(projection).clone(), bias_of(projection)
                removed_rows = layout.rows(feeding, cut.removed, n_groups)
                rows = torch.from_numpy(removed_rows).to(weight.device)
                weight[rows] = 0
                if bias is not None:
                    bias = bias.clone()
                    bias[rows] = 0
                replace_weight(projection, weight, bias)
            output = module.get_submodule(architecture.attention.output)
            weight = weight_of(output).clone()
            if cut.columns is not None:
                weight[:, torch.from_numpy(layout.dimensions(groups))] = cut.columns.to(weight)
            weight[:, torch.from_numpy(layout.dimensions(cut.removed))] = 0
            replace_weight(output, weight, new_bias(output, cut.bias))


def attention_has_bias(model: "PreTrainedModel", architecture: Architecture) -> bool:
    """Whether an attention's output projection has a bias."""
    return any(bias_of(output) is not None for output in attention_outputs(model, architecture))


def per_layer_attention(
    model: "PreTrainedModel",
    architecture: Architecture,
    layout: AttentionLayout,
    group_counts: Sequence[int],
) -> dict[str, Any]:
    """Return the entry of a per-layer config for the attention of `model`, which is cut already.

    Where one layer's output projection has a bias, all get one, of zeros.
    """
    has_bias = attention_has_bias(model, architecture)
    with torch.no_grad():
        for output in attention_outputs(model, architecture):
            if has_bias and bias_of(output) is None:
                weight = weight_of(output)
                replace_weight(output, weight, weight.new_zeros(weight.shape[0]))
    attention = architecture.attention
    return {
        "layers": architecture.layers,
        "groups": list(group_counts),
        "feeding": {
            feeding.path: sum(layout.rows_per_group(letters) for letters in feeding.parts)
            for feeding in attention.feeding
        },
        "output": attention.output,
        "columns": layout.group_size,
        "output_bias": has_bias,
        "counts": _head_counts(architecture, layout),
    }


def _head_counts(architecture: Architecture, layout: AttentionLayout) -> list[list[Any]]:
    """Return the attributes that count heads: module, attribute, how many a group adds."""
    per_group = {
        "groups": 1,
        "heads": layout.heads_per_group,
        "dimensions": layout.group_size,
    }
    return [
        [count.module, count.attribute, per_group[count.counts]]
        for count in architecture.attention.counts
    ]
