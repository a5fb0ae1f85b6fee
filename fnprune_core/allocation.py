"""How a ratio is divided over layers: one table, ratio to number of removed units per layer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.layout import UnitLayout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budget:
    """What an allocation divides.

    Parameters
    ----------
    layout : UnitLayout
    n_removed : int
        Units to remove in the whole model.
    scores : ndarray (n_units,)
        Higher is kept; only ``global`` looks at them.
    protected : ndarray (n_units,)
        Units that must stay.
    multiple : int or None
        Round the number of units that stay up to a multiple, in every layer; ``uniform`` then
        keeps the same number in each. None meets the ratio to one unit.
    """

    layout: UnitLayout
    n_removed: int
    scores: NDArray[np.float64]
    protected: NDArray[np.bool_]
    multiple: int | None = None

    @property
    def removable(self) -> NDArray[np.int64]:
        """Most units that can go, per layer: a layer keeps at least one."""
        return np.array(
            [
                min(width - int(part.sum()), width - 1)
                for width, part in zip(
                    self.layout.widths, self.layout.split(self.protected), strict=True
                )
            ],
            dtype=np.int64,
        )


Allocation = Callable[[Budget], NDArray[np.int64]]


def _refuse(budget: Budget, possible: int, why: str) -> None:
    if budget.n_removed > possible:
        most = possible / budget.layout.n_units
        raise RatioError(
            f"A ratio of {budget.n_removed / budget.layout.n_units:.3f} is not possible: {why} "
            f"at most {most:.3f} of all units can go.",
            hint=f"Choose a ratio of at most {np.floor(most * 1000) / 1000:.3f}, or another "
            "allocation.",
        )


def _evenly(budget: Budget, free: NDArray[np.bool_], why: str) -> NDArray[np.int64]:
    """Remove the same share of each free layer, to one unit, never beyond what is removable."""
    capacity = np.where(free, budget.removable, 0)
    _refuse(budget, int(capacity.sum()), why)
    widths = np.asarray(budget.layout.widths, dtype=np.float64)
    removed = np.zeros(budget.layout.n_layers, dtype=np.int64)
    while (left := budget.n_removed - int(removed.sum())) > 0:
        room = capacity - removed
        share = np.where(room > 0, widths, 0.0)
        wanted = left * share / share.sum()
        step = np.minimum(np.floor(wanted).astype(np.int64), room)
        if step.sum() == 0:  # the last few go one by one to the largest fractions
            order = np.argsort(-np.where(room > 0, wanted, -1.0), kind="stable")[:left]
            step[order[room[order] > 0]] = 1
        removed += step
    return removed


def uniform(budget: Budget) -> NDArray[np.int64]:
    """Remove the same share of every layer; with a multiple, keep the same number in each."""
    everywhere = np.ones(budget.layout.n_layers, dtype=bool)
    removed = _evenly(budget, everywhere, "with the units that must stay,")
    if budget.multiple is None:
        return removed
    widths = np.asarray(budget.layout.widths, dtype=np.int64)
    most = int((widths - removed).max())
    return np.maximum(widths - most, 0)


def protected_ends(n_layers: int) -> tuple[int, int]:
    """Return how many first and last layers are exempt: 3 and 2 of 30, as in arXiv 2508.05239."""
    return min(3, n_layers // 10), min(2, n_layers // 15)


def protect_ends(budget: Budget) -> NDArray[np.int64]:
    """Exempt the first and last layers; the others give more."""
    n_layers = budget.layout.n_layers
    first, last = protected_ends(n_layers)
    layer = np.arange(n_layers)
    free = (layer >= first) & (layer < n_layers - last)
    return _evenly(budget, free, f"with the first {first} and last {last} layers exempt,")


def ranked_globally(budget: Budget) -> NDArray[np.int64]:
    """Rank scores, standardised within each layer, over all layers (as FLAP does)."""
    _refuse(budget, int(budget.removable.sum()), "with the units that must stay,")
    layout = budget.layout
    ranks = []
    for scores, protected in zip(
        layout.split(budget.scores), layout.split(budget.protected), strict=True
    ):
        spread = scores.std()
        z = (scores - scores.mean()) / (spread if spread > 0 else 1.0)
        z = np.where(protected, np.inf, z)
        if not protected.any():
            z[np.argmax(z)] = np.inf  # a layer keeps at least one unit
        ranks.append(z)
    order = np.argsort(np.concatenate(ranks), kind="stable")[: budget.n_removed]
    return np.bincount(layout.layer_of_unit[order], minlength=layout.n_layers).astype(np.int64)


ALLOCATIONS: dict[str, Allocation] = {
    "uniform": uniform,
    "protect-ends": protect_ends,
    "global": ranked_globally,
}


def allocate(name: str, budget: Budget) -> NDArray[np.int64]:
    """Return the units to remove per layer, (n_layers,), by one row of the table."""
    if name not in ALLOCATIONS:
        raise SettingsError(
            f"There is no allocation {name!r}.", hint=f"Use one of {', '.join(ALLOCATIONS)}."
        )
    removed = ALLOCATIONS[name](budget)
    if budget.multiple is None:
        return removed
    widths = np.asarray(budget.layout.widths, dtype=np.int64)
    kept = -(-(widths - removed) // budget.multiple) * budget.multiple
    return np.maximum(widths - kept, 0)


def default_multiple(width: int) -> int:
    """Return what widths are rounded to: 64, or the power of two below a sixteenth of less."""
    return min(64, 1 << max(0, (width // 16).bit_length() - 1))
