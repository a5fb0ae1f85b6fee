"""Silence units without cutting: reversible, on hooks, for previews and lesions."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fnprune_core.errors import PlanError
from fnprune_core.models.architectures import feeding_modules, feeding_rows, output_projections
from fnprune_core.models.attention import attention_outputs
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import bias_of, bias_with, sample_of, weight_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionCut:
    """The KV groups that go from one layer's attention, and what replaces them.

    Parameters
    ----------
    removed : ndarray
        Sorted KV groups that go.
    columns : Tensor (hidden, kept dimensions) or None
        New columns of the attention's output projection for the heads that stay.
    bias : Tensor (hidden,) or None
        Added to its output.
    """

    removed: NDArray[np.int64]
    columns: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refit:
    """Replacement for one layer's output projection after its removed units are gone.

    Parameters
    ----------
    columns : Tensor (hidden, kept units) or None
        New output columns of the kept units, in their order.
    bias : Tensor (hidden,) or None
        Added to the output, beside a bias that the projection already has.
    feeding : tuple of Tensor (rows of kept units, inputs)
        New rows of the modules that feed the kept units, in the architecture's order; empty
        where they stay as they are.
    attention : AttentionCut or None
        The KV groups that go from the layer, with their compensation.
    """

    columns: Tensor | None = None
    bias: Tensor | None = None
    feeding: tuple[Tensor, ...] = ()
    attention: AttentionCut | None = None


def without_refit(n_layers: int, removed_groups: Sequence[NDArray[np.int64]] = ()) -> list[Refit]:
    """Return refits that replace nothing: units and KV groups go without compensation."""
    if not removed_groups:
        return [Refit()] * n_layers
    return [Refit(attention=AttentionCut(removed=groups)) for groups in removed_groups]


@contextmanager
def silenced(
    language_model: LanguageModel,
    removed: Sequence[NDArray[np.integer]],
    *,
    refits: Sequence[Refit] | None = None,
    factor: float = 0.0,
    centre: NDArray[np.floating] | None = None,
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
        One a layer; previews the compensation. KV groups go by them too (see `without_refit`).
    centre : ndarray (n_units,), optional
        What activations are scaled towards; 0 if not given.

    Raises
    ------
    PlanError
        If the layers, units or refits are not those of the model.
    """
    kept = language_model.layout.split(_kept_units(language_model, removed))
    projections = output_projections(language_model.model, language_model.architecture)
    if refits is not None and len(refits) != len(projections):
        raise PlanError(f"Expected {len(projections)} refits, one a layer, got {len(refits)}.")
    with (
        language_model.lock,
        _edit_feeding(language_model, kept, refits),
        _edit_outputs(
            projections,
            kept,
            refits,
            [np.where(layer_kept, 1.0, factor) for layer_kept in kept],
            _split_by_layer(language_model, centre),
        ),
        _edit_attention(language_model, refits),
    ):
        yield


@contextmanager
def scaled(
    language_model: LanguageModel,
    factors: NDArray[np.floating],
    *,
    centre: NDArray[np.floating] | None = None,
) -> Iterator[None]:
    """Multiply each unit's activation by a factor of its own while the block runs.

    The gain of a network is this for its units: 1 is the dense model bit for bit, 0 its lesion,
    and what a unit adds to the stream is linear in its factor. Holds the model's lock, as
    `silenced` does.

    Parameters
    ----------
    factors : ndarray (n_units,)
    centre : ndarray (n_units,), optional
        What activations are scaled towards; 0 if not given.

    Raises
    ------
    PlanError
        If the factors are not one for each unit of the model, or not finite.
    """
    factors = np.asarray(factors, dtype=np.float64)
    if factors.shape != (language_model.layout.n_units,) or not np.isfinite(factors).all():
        raise PlanError(
            f"Expected {language_model.layout.n_units:,} finite factors, one a unit of "
            f"{language_model.name}, got an array of shape {factors.shape}.",
            hint="Made for another model? Compare the fingerprints.",
        )
    by_layer = language_model.layout.split(factors)
    projections = output_projections(language_model.model, language_model.architecture)
    with (
        language_model.lock,
        _edit_outputs(
            projections,
            [layer_factors == 1.0 for layer_factors in by_layer],
            None,
            by_layer,
            _split_by_layer(language_model, centre),
        ),
    ):
        yield


def _edit_outputs(
    projections: Sequence[torch.nn.Module],
    kept: Sequence[NDArray[np.bool_]],
    refits: Sequence[Refit] | None,
    factors: Sequence[NDArray[np.floating]] | None = None,
    centres: Sequence[NDArray[np.floating]] | None = None,
) -> AbstractContextManager[None]:
    """Scale the inputs of each projection that are not kept, and replace what makes its output."""
    if factors is None:
        factors = [layer_kept.astype(np.float64) for layer_kept in kept]
    scales = [
        torch.from_numpy(np.array(layer_factors)).to(
            device=sample_of(module).device, dtype=sample_of(module).dtype
        )
        for layer_factors, module in zip(factors, projections, strict=True)
    ]

    shifts = [
        (1 - scale) * torch.from_numpy(np.asarray(centre, dtype=np.float32)).to(scale)
        for scale, centre in zip(scales, centres or (), strict=False)
    ]

    def edit_input(layer: int, x: Tensor) -> Tensor:
        if kept[layer].all():
            return x
        return torch.addcmul(shifts[layer], x, scales[layer]) if shifts else x * scales[layer]

    def edit_output(layer: int, x: Tensor, y: Tensor) -> Tensor:
        refit = Refit() if refits is None else refits[layer]
        if refit.columns is None and refit.bias is None:
            return y
        return functional.linear(
            x, *_replacement_parameters(projections[layer], kept[layer], refit)
        )

    return edit_projections(
        projections,
        edit_input=edit_input,
        edit_output=None if refits is None else edit_output,
    )


def _split_by_layer(
    language_model: LanguageModel, values: NDArray[np.floating] | None
) -> list[NDArray[np.floating]] | None:
    return None if values is None else language_model.layout.split(values)


def _edit_feeding(
    language_model: LanguageModel,
    kept: Sequence[NDArray[np.bool_]],
    refits: Sequence[Refit] | None,
) -> AbstractContextManager[None]:
    """Replace the outputs, for kept units, of the modules that feed them, where refits say so."""
    architecture = language_model.architecture
    modules, new_rows = [], []
    for layer, refit in enumerate(refits or ()):
        if not refit.feeding:
            continue
        index = torch.from_numpy(np.flatnonzero(kept[layer]))
        rows = feeding_rows(architecture, index, language_model.layout.widths[layer])
        feeding = feeding_modules(language_model.model, architecture, layer)
        for module, weight in zip(feeding, refit.feeding, strict=True):
            modules.append(module)
            new_rows.append((rows.to(sample_of(module).device), weight))
    if not modules:
        return nullcontext()

    def edit_output(number: int, x: Tensor, y: Tensor) -> Tensor:
        rows, weight = new_rows[number]
        bias = bias_of(modules[number])
        y = y.clone()
        y[..., rows] = functional.linear(x, weight.to(y), None if bias is None else bias[rows])
        return y

    return edit_projections(modules, edit_output=edit_output)


def _edit_attention(
    language_model: LanguageModel, refits: Sequence[Refit] | None
) -> AbstractContextManager[None]:
    """Edit the attention's output projections in the same way, where KV groups go."""
    if all(refit.attention is None for refit in refits or ()):
        return nullcontext()
    no_cut = AttentionCut(removed=np.empty(0, dtype=np.int64))
    cuts = [refit.attention or no_cut for refit in refits or ()]
    layout = language_model.attention
    try:
        keep = layout.groups.split(layout.groups.keep_of([cut.removed for cut in cuts]))
    except ValueError as error:
        raise PlanError(
            f"These KV groups are not those of {language_model.name}: {error}",
            hint="Made for another model? Compare the fingerprint in plan.json.",
        ) from error
    return _edit_outputs(
        attention_outputs(language_model.model, language_model.architecture),
        [np.repeat(layer_keep, layout.group_size) for layer_keep in keep],
        [Refit(columns=cut.columns, bias=cut.bias) for cut in cuts],
    )


def _replacement_parameters(
    module: torch.nn.Module, keep: NDArray[np.bool_], refit: Refit
) -> tuple[Tensor, Tensor | None]:
    """Return weight (hidden, units) and bias to use in place of those of the projection."""
    weight = weight_of(module).detach()
    if refit.columns is not None:
        weight = weight.clone()
        weight[:, torch.from_numpy(keep).to(weight.device)] = refit.columns.to(weight)
    return weight, bias_with(module, refit.bias)


def _kept_units(
    language_model: LanguageModel, removed: Sequence[NDArray[np.integer]]
) -> NDArray[np.bool_]:
    try:
        return language_model.layout.keep_of(removed)
    except ValueError as error:
        raise PlanError(
            f"These units are not those of {language_model.name}: {error}",
            hint="Made for another model? Compare the fingerprint in plan.json.",
        ) from error
