"""A projection's weight and bias, however they are stored, and how rows and columns are cut."""

import math
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

from fnprune_core.models.sources.quantised import is_quantised, refusal

if TYPE_CHECKING:
    from transformers.pytorch_utils import Conv1D


class Stacked(nn.Module):
    """A projection without parameters of its own: its weight is put together when asked for."""

    bias: Tensor | None

    def stacked_weight(self) -> Tensor:
        """Return a copy of the weight, (outputs, inputs)."""
        raise NotImplementedError

    @property
    def sample(self) -> Tensor:
        """A parameter that holds a part of it: for dtype and device, without a copy."""
        raise NotImplementedError

    @property
    def n_values(self) -> int:
        """Number of the weight's entries."""
        raise NotImplementedError


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
