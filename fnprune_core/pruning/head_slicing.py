"""Cut KV groups out of a copy of a model: rows of queries, keys and values, columns of outputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fnprune_core.models.architectures import Architecture, layers_of
from fnprune_core.models.attention import AttentionLayout, attention_outputs, kept_groups
from fnprune_core.models.modeling_per_layer import set_head_counts
from fnprune_core.models.projections import (
    bias_of,
    bias_with,
    cut_rows,
    kept_part,
    replace_weight,
    weight_of,
)
from fnprune_core.models.silencing import AttentionCut, Refit

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def cut_columns(
    module: nn.Module, kept: Tensor, *, refit: Refit | AttentionCut, masks: bool = False
) -> None:
    """Cut what reads units or groups: keep some columns of a projection, and put a refit in."""
    weight = kept_part(weight_of(module), kept, new=refit.columns, masks=masks, dim=1)
    replace_weight(module, weight, bias_with(module, refit.bias))


def cut_heads(
    model: "PreTrainedModel",
    architecture: Architecture,
    layout: AttentionLayout,
    cuts: Sequence[AttentionCut],
    *,
    masks: bool,
) -> None:
    """Cut each layer's KV groups out of `model`, which is changed, and put their refits in.

    Parameters
    ----------
    masks : bool
        Whether their weights become zeros, and all shapes stay.
    """
    kept = kept_groups(layout, [cut.removed for cut in cuts])
    with torch.no_grad():
        for layer, (module, cut, groups) in enumerate(
            zip(layers_of(model, architecture), cuts, kept, strict=True)
        ):
            n_groups = layout.groups.widths[layer]
            for feeding in architecture.attention.feeding:
                rows = torch.from_numpy(layout.rows(feeding, groups, n_groups))
                cut_rows(module.get_submodule(feeding.path), rows, masks=masks)
            output = module.get_submodule(architecture.attention.output)
            columns = torch.from_numpy(layout.dimensions(groups))
            cut_columns(output, columns, refit=cut, masks=masks)
            if not masks:
                set_head_counts(module, layout.counts(architecture.attention), len(groups))


def give_biases(projections: Sequence[nn.Module]) -> bool:
    """Give all projections a bias where one has it, of zeros; return whether they have one."""
    has_bias = any(bias_of(projection) is not None for projection in projections)
    for projection in projections:
        if has_bias and bias_of(projection) is None:
            weight = weight_of(projection)
            with torch.no_grad():
                replace_weight(projection, weight, weight.new_zeros(weight.shape[0]))
    return has_bias


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
    has_bias = give_biases(attention_outputs(model, architecture))
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
        "counts": layout.counts(architecture.attention),
    }
