"""Silence units without cutting: reversible, on hooks, for previews and lesions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fnprune_core.architectures import bias_of, output_projections, weight_of
from fnprune_core.errors import PlanError
from fnprune_core.hooks import edit_projections
from fnprune_core.models import LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refit:
    """Replacement for one layer's output projection after its removed units are gone.

    Parameters
    ----------
    columns : Tensor (hidden, kept units) or None
        New output columns of the kept units, in their order.
    bias : Tensor (hidden,) or None
        Added to the output, beside a bias that the projection already has.
    """

    columns: Tensor | None = None
    bias: Tensor | None = None


@contextmanager
def silenced(
    language_model: LanguageModel,
    removed: Sequence[NDArray[np.integer]],
    *,
    refits: Sequence[Refit] | None = None,
    factor: float = 0.0,
) -> Iterator[None]:
    """Scale the given units' activations by `factor` while the block runs; 0 silences them.

    Holds the model's lock, so that no other user of the shared model runs silenced: enter it
    for one forward pass. The logits equal those of ``prune`` with the same refits. Memory: one
    layer's output projection, where there are refits.

    Parameters
    ----------
    removed : sequence of ndarray
        Unit indices of each layer.
    refits : sequence of Refit, optional
        One a layer; previews the compensation.

    Raises
    ------
    PlanError
        If the layers, units or refits are not those of the model.
    """
    kept = language_model.layout.split(_check_units(language_model, removed))
    projections = output_projections(language_model.model, language_model.architecture)
    if refits is not None and len(refits) != len(projections):
        raise PlanError(f"Expected {len(projections)} refits, one a layer, got {len(refits)}.")
    scales = [
        torch.where(torch.from_numpy(part), 1.0, factor).to(
            device=weight_of(module).device, dtype=weight_of(module).dtype
        )
        for part, module in zip(kept, projections, strict=True)
    ]

    def edit_input(layer: int, x: Tensor) -> Tensor:
        return x if kept[layer].all() else x * scales[layer]

    def edit_output(layer: int, x: Tensor, y: Tensor) -> Tensor:
        refit = Refit() if refits is None else refits[layer]
        if refit.columns is None and refit.bias is None:
            return y
        return functional.linear(x, *_replacement(projections[layer], kept[layer], refit))

    with (
        language_model.lock,
        edit_projections(
            projections,
            edit_input=edit_input,
            edit_output=None if refits is None else edit_output,
        ),
    ):
        yield


def _replacement(
    module: torch.nn.Module, keep: NDArray[np.bool_], refit: Refit
) -> tuple[Tensor, Tensor | None]:
    """Return weight (hidden, units) and bias to use in place of the projection's own."""
    weight = weight_of(module).detach()
    if refit.columns is not None:
        weight = weight.clone()
        weight[:, torch.from_numpy(keep).to(weight.device)] = refit.columns.to(weight)
    bias = bias_of(module)
    if refit.bias is not None:
        added = refit.bias.to(weight.device, torch.float32)
        bias = (added if bias is None else bias.detach().float() + added).to(weight.dtype)
    return weight, bias


def _check_units(
    language_model: LanguageModel, removed: Sequence[NDArray[np.integer]]
) -> NDArray[np.bool_]:
    try:
        return language_model.layout.keep_of(removed)
    except ValueError as error:
        raise PlanError(
            f"These units are not those of {language_model.name}: {error}",
            hint="Made for another model? Compare the fingerprint in plan.json.",
        ) from error
