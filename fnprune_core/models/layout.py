"""Layout of units: their (layer, index) and flat numbers. The only module with offsets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class UnitLayout:
    """The number of units in each layer, possibly ragged.

    Parameters
    ----------
    widths : tuple of int
        Units per layer. The flat order is layer by layer.
    expert_sizes : tuple of tuple of int
        Units of each expert of each layer, in their order; a layer without experts has one number.
        Empty in a model without experts. Layouts are equal whether or not they say it.
    """

    widths: tuple[int, ...]
    expert_sizes: tuple[tuple[int, ...], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise SettingsError(
                f"A layout needs at least one unit in every layer, got {self.widths}."
            )
        if self.expert_sizes and tuple(map(sum, self.expert_sizes)) != self.widths:
            raise SettingsError(
                f"The experts' units do not add up to the layers': {self.expert_sizes[:3]}…, "
                f"{self.widths[:3]}…."
            )

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.widths)

    @property
    def n_units(self) -> int:
        """Number of units of all layers."""
        return sum(self.widths)

    @property
    def by_expert(self) -> "UnitLayout":
        """The same units with experts in the place of layers, or the layout itself without any."""
        if not self.expert_sizes:
            return self
        return UnitLayout(tuple(size for sizes in self.expert_sizes for size in sizes))

    def experts_of(self, layer: int) -> list[slice]:
        """Return the units of each expert within a layer; one slice where it has no experts."""
        sizes = self.expert_sizes[layer] if self.expert_sizes else self.widths[layer : layer + 1]
        ends = np.cumsum(sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]

    def expert_of_unit(self, flat: NDArray[np.integer] | int) -> NDArray[np.int64]:
        """Return the expert of each flat unit in its layer, −1 in layers without experts."""
        layer, index = self.locate(flat)
        experts = np.full(layer.shape, -1, dtype=np.int64)
        for number, sizes in enumerate(self.expert_sizes):
            is_here = layer == number
            if len(sizes) > 1 and is_here.any():
                experts[is_here] = np.searchsorted(np.cumsum(sizes), index[is_here], side="right")
        return experts

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Flat index of the first unit of each layer, and the total: (n_layers + 1,)."""
        return np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)

    def layer_slice(self, layer: int) -> slice:
        """Return the slice of flat indices that belongs to `layer`."""
        offsets = self.offsets
        return slice(int(offsets[layer]), int(offsets[layer + 1]))

    def flat(
        self, layer: NDArray[np.integer] | int, index: NDArray[np.integer] | int
    ) -> NDArray[np.int64]:
        """Return flat indices of units given by layer and index within it."""
        widths = np.asarray(self.widths)
        layer, index = np.asarray(layer), np.asarray(index)
        if np.any((layer < 0) | (layer >= self.n_layers)):
            raise SettingsError(f"Layers run from 0 to {self.n_layers - 1}, got {layer}.")
        if np.any((index < 0) | (index >= widths[layer])):
            raise SettingsError(f"Unit {index} is not in layer {layer} of {widths[layer]} units.")
        return np.asarray(self.offsets[layer] + index, dtype=np.int64)

    def locate(self, flat: NDArray[np.integer] | int) -> tuple[NDArray[np.int64], ...]:
        """Return (layer, index) of flat indices."""
        flat = np.asarray(flat)
        if np.any((flat < 0) | (flat >= self.n_units)):
            raise SettingsError(f"Flat indices run from 0 to {self.n_units - 1}, got {flat}.")
        layer = np.searchsorted(self.offsets, flat, side="right") - 1
        return layer.astype(np.int64), (flat - self.offsets[layer]).astype(np.int64)

    @property
    def layer_of_unit(self) -> NDArray[np.int32]:
        """Layer of each flat unit: (n_units,)."""
        return np.repeat(np.arange(self.n_layers, dtype=np.int32), self.widths)

    def split(self, values: NDArray[T]) -> list[NDArray[T]]:
        """Cut the last axis of `values` (…, n_units) into one view per layer."""
        if values.shape[-1] != self.n_units:
            raise SettingsError(
                f"Expected {self.n_units} values, one per unit, got {values.shape[-1]}."
            )
        return [values[..., first:end] for first, end in pairwise(self.offsets.tolist())]

    def keep_of(self, removed: Sequence[NDArray[np.integer]]) -> NDArray[np.bool_]:
        """Return which units stay, (n_units,), given the removed indices of each layer."""
        if len(removed) != self.n_layers:
            raise SettingsError(f"Expected {self.n_layers} layers, got {len(removed)}.")
        keep = np.ones(self.n_units, dtype=bool)
        starts = self.offsets[:-1].tolist()
        for layer, (first, width) in enumerate(zip(starts, self.widths, strict=True)):
            indices = np.asarray(removed[layer], dtype=np.int64)
            if indices.size and (indices.min() < 0 or indices.max() >= width):
                self.flat(layer, indices)  # says which is out of range
            keep[indices + first] = False
        return keep

    def removed_of(self, keep: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
        """Return the removed indices of each layer, given which units stay."""
        return tuple(np.flatnonzero(~layer_keep) for layer_keep in self.split(keep))
