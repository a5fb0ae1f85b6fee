"""Table of allocations: how a ratio becomes a number of removed units for each layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.inputs.tables import row_named
from fnprune_core.models.layout import UnitLayout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budget:
    """Number of units to remove, and the limits within which an allocation divides it.

    Parameters
    ----------
    layout : UnitLayout
    n_removed : int
        Units to remove in the whole model.
    scores : ndarray (n_units,)
        Higher is kept; only ``global`` and ``threshold`` look at them.
    protected : ndarray (n_units,)
        Units that must stay.
    multiple : int or None
        Round the number of units that stay up to a multiple, in every layer; ``uniform`` then
        keeps the same number in each. None meets the ratio to one unit.
    pinned : ndarray (n_units,) or None
        Units that must go, in exempt layers too; none of them is protected.
    turn : ndarray (n_layers,) or None
        Where a share leaves some over and layers are alike, the lowest gives first; by default
        the first layer.
    weights : sequence of float
        How much of its units a layer gives beside the others; only ``weighted`` looks at them.
        Empty weighs all layers alike.
    kinds : tuple of int
        With a multiple, ``uniform`` keeps the same number in all layers of one kind; empty where
        they are all of one.
    what : str
        What the units are called.
    """

    layout: UnitLayout
    n_removed: int
    scores: NDArray[np.float64]
    protected: NDArray[np.bool_]
    multiple: int | None = None
    pinned: NDArray[np.bool_] | None = None
    turn: NDArray[np.float64] | None = None
    weights: Sequence[float] = ()
    kinds: tuple[int, ...] = ()
    what: str = "units"

    @property
    def must_go(self) -> NDArray[np.bool_]:
        """Which units must go: (n_units,)."""
        return np.zeros_like(self.protected) if self.pinned is None else self.pinned

    @property
    def least(self) -> NDArray[np.int64]:
        """Number of units that must go, per layer."""
        return np.array([part.sum() for part in self.layout.split(self.must_go)], dtype=np.int64)

    @property
    def removable(self) -> NDArray[np.int64]:
        """Largest number of units that can go, per layer: a layer keeps at least one."""
        return np.array(
            [
                min(width - int(layer_protected.sum()), width - 1)
                for width, layer_protected in zip(
                    self.layout.widths, self.layout.split(self.protected), strict=True
                )
            ],
            dtype=np.int64,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One row of the table of allocations.

    Parameters
    ----------
    divide : callable
        Budget to the number of units that each layer gives, (n_layers,).
    label : str
        For people.
    says : callable
        What it is in words, for a model of so many layers, as the report says it.
    takes_weights : bool
        Whether the plan itself tells how much each layer gives.
    looks_at_scores : bool
        Whether how much each layer gives depends on the scores.
    """

    divide: Callable[[Budget], NDArray[np.int64]]
    label: str
    says: Callable[[int], str]
    takes_weights: bool = False
    looks_at_scores: bool = False


def _check_ratio(budget: Budget, possible: int, reason: str) -> None:
    """Raise RatioError if fewer are to go than are pinned, or more than possible."""
    n_pinned = int(budget.least.sum())
    if budget.n_removed < n_pinned:
        minimum = n_pinned / budget.layout.n_units
        raise RatioError(
            f"{n_pinned} units are pinned to go, but a ratio of "
            f"{budget.n_removed / budget.layout.n_units:.3f} lets {budget.n_removed} go: the "
            f"least ratio is {minimum:.4f}.",
            hint=f"Choose a ratio of at least {np.ceil(minimum * 1e4) / 1e4:.4f}, or unpin units.",
        )
    if budget.n_removed > possible:
        maximum = possible / budget.layout.n_units
        raise RatioError(
            f"A ratio of {budget.n_removed / budget.layout.n_units:.3f} is not possible: {reason} "
            f"at most {maximum:.3f} of all {budget.what} can go.",
            hint=f"Choose a ratio of at most {np.floor(maximum * 1000) / 1000:.3f}, or another "
            "allocation.",
        )


def _divide_evenly(budget: Budget, weights: NDArray[np.float64], reason: str) -> NDArray[np.int64]:
    """Return the units to remove per layer: shares in proportion to weights, to one unit.

    Never more than is removable; a layer of weight 0 is exempt. A layer in which more units must
    go than its share gives those, and the others less.
    """
    free, least = weights > 0, budget.least
    capacity = np.where(free, budget.removable, least)
    _check_ratio(budget, int(capacity.sum()), reason)
    is_fixed = ~free
    while True:
        fixed = np.where(is_fixed, least, 0)
        room = np.where(is_fixed, 0, capacity)
        widths = np.asarray(budget.layout.widths) * weights
        removed = fixed + _divide_by_width(
            widths, budget.n_removed - int(fixed.sum()), room, turn=budget.turn
        )
        if not (removed < least).any():
            return removed
        is_fixed = is_fixed | (removed < least)


def _divide_by_width(
    widths: NDArray[np.float64],
    n_removed: int,
    capacity: NDArray[np.int64],
    *,
    turn: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Return a number divided in proportion to widths, to one unit, never beyond the capacity."""
    if turn is None:
        turn = np.zeros(len(widths))
    removed = np.zeros(len(widths), dtype=np.int64)
    while (n_left := n_removed - int(removed.sum())) > 0:
        room = capacity - removed
        share = np.where(room > 0, widths, 0.0)
        exact_step = n_left * share / share.sum()
        step = np.minimum(np.floor(exact_step).astype(np.int64), room)
        if step.sum() == 0:  # the last few go one by one to the largest fractions
            order = np.lexsort((turn, -np.where(room > 0, exact_step, -1.0)))[:n_left]
            step[order[room[order] > 0]] = 1
        removed += step
    return removed


def _round_to_multiple(budget: Budget, kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the units that stay rounded up to the multiple, or down where more must go.

    Raises
    ------
    RatioError
        If between the units that must stay and those that must go there is no multiple.
    """
    multiple = budget.multiple or 1
    widths = np.asarray(budget.layout.widths, dtype=np.int64)
    rounded_up = -(-kept // multiple) * multiple
    rounded_down = (widths - budget.least) // multiple * multiple
    rounded = np.where(budget.least > 0, np.minimum(rounded_up, rounded_down), rounded_up)
    for layer in np.flatnonzero(rounded < np.minimum(rounded_up, widths - budget.removable)):
        raise RatioError(
            f"Layer {layer} cannot keep a multiple of {multiple} units: {budget.least[layer]} of "
            f"its {widths[layer]} are pinned to go, and "
            f"{widths[layer] - budget.removable[layer]} must stay.",
            hint="Choose a smaller multiple, or unpin units of this layer.",
        )
    return np.asarray(rounded, dtype=np.int64)


def uniform(budget: Budget) -> NDArray[np.int64]:
    """Return the same share of every layer; with a multiple, the same number is kept in each."""
    alike = np.ones(budget.layout.n_layers)
    removed = _divide_evenly(budget, alike, "with the units that must stay,")
    if budget.multiple is None:
        return removed
    widths = np.asarray(budget.layout.widths, dtype=np.int64)
    kept = widths - removed
    kinds = np.asarray(budget.kinds or np.zeros(len(widths)))
    for kind in np.unique(kinds):
        kept[kinds == kind] = kept[kinds == kind].max()
    kept = _round_to_multiple(budget, kept)
    for kind in np.unique(kinds):
        kept[kinds == kind] = kept[kinds == kind].min()
    return np.asarray(np.maximum(widths - kept, 0), dtype=np.int64)


def protected_ends(n_layers: int) -> tuple[int, int]:
    """Return how many first and last layers are exempt: 3 and 2 of 30, as in arXiv 2508.05239."""
    return min(3, n_layers // 10), min(2, n_layers // 15)


def free_layers(n_layers: int) -> NDArray[np.bool_]:
    """Return which layers are not exempt with protected ends: (n_layers,)."""
    first, last = protected_ends(n_layers)
    layer = np.arange(n_layers)
    return (layer >= first) & (layer < n_layers - last)


def _ends_reason(n_layers: int) -> str:
    first, last = protected_ends(n_layers)
    return f"with the first {first} and last {last} layers exempt,"


def protect_ends(budget: Budget) -> NDArray[np.int64]:
    """Return the same share of all layers but the first and last, which are exempt."""
    n_layers = budget.layout.n_layers
    return _divide_evenly(budget, free_layers(n_layers).astype(float), _ends_reason(n_layers))


def by_threshold(budget: Budget) -> NDArray[np.int64]:
    """Return each layer's number of scores under one threshold, first and last layers exempt."""
    n_layers = budget.layout.n_layers
    return _lowest_of_all(
        budget, budget.scores, free=free_layers(n_layers), reason=_ends_reason(n_layers)
    )


def ranked_globally(budget: Budget) -> NDArray[np.int64]:
    """Return each layer's number of lowest scores over all layers, standardised (as FLAP does)."""
    ranks = []
    for scores in budget.layout.split(budget.scores):
        spread = scores.std()
        ranks.append((scores - scores.mean()) / (spread if spread > 0 else 1.0))
    free = np.ones(budget.layout.n_layers, dtype=bool)
    return _lowest_of_all(
        budget, np.concatenate(ranks), free=free, reason="with the units that must stay,"
    )


def by_size(budget: Budget) -> NDArray[np.int64]:
    """Return each layer's number of lowest scores over all layers, as they are, with a cap.

    For scores whose size means the same in every layer, such as the Fisher information. What a
    layer would give beyond `CAP` of its units goes only once no layer has others.
    """
    scores = np.where(budget.must_go, -np.inf, np.where(budget.protected, np.inf, budget.scores))
    spread = 1.0 + float(np.ptp(budget.scores))
    ranks = budget.scores.astype(np.float64)
    for part, values in zip(budget.layout.split(ranks), budget.layout.split(scores), strict=True):
        beyond = np.argsort(values, kind="stable")[int(CAP * len(values)) :]
        part[beyond] += spread  # a view into `ranks`
    free = np.ones(budget.layout.n_layers, dtype=bool)
    return _lowest_of_all(budget, ranks, free=free, reason="with the units that must stay,")


def _lowest_of_all(
    budget: Budget, ranks: NDArray[np.float64], *, free: NDArray[np.bool_], reason: str
) -> NDArray[np.int64]:
    """Return how many of the lowest ranks of the whole model lie in each layer.

    Pinned units come first; protected ones, those of layers that are not free, and the best of a
    layer that would be empty, never.
    """
    layout = budget.layout
    _check_ratio(budget, int(np.where(free, budget.removable, budget.least).sum()), reason)
    stays = budget.protected | ~free[layout.layer_of_unit]
    ranks = np.where(budget.must_go, -np.inf, np.where(stays, np.inf, ranks))
    for layer_ranks in layout.split(ranks):  # views into `ranks`
        layer_ranks[np.argmax(layer_ranks)] = np.inf
    order = np.argsort(ranks, kind="stable")[: budget.n_removed]
    return np.bincount(layout.layer_of_unit[order], minlength=layout.n_layers).astype(np.int64)


def weighted(budget: Budget) -> NDArray[np.int64]:
    """Return shares of the layers in proportion to given weights; 0 exempts a layer."""
    n_layers = budget.layout.n_layers
    weights = np.array(budget.weights or np.ones(n_layers), dtype=np.float64)
    if len(weights) != n_layers:
        raise SettingsError(
            f"The allocation by weights needs one weight for each of {n_layers} layers, got "
            f"{len(weights)}.",
            hint="Search them (fnprune search layers), or write them down: 0 exempts a layer.",
        )
    return _divide_evenly(budget, weights, "with these weights of the layers")


def _protected_ends_text(n_layers: int) -> str:
    first, last = protected_ends(n_layers)
    return (
        f"the first {first} and the last {last} layers are spared, as in {{liu2025}}, the others "
        "give the same share"
    )


#: Share of its units that a layer gives at most where scores are compared as they are.
CAP = 0.8
#: The allocation whose weights a search finds.
WEIGHTED = "weighted"
ALLOCATIONS: dict[str, Allocation] = {
    "uniform": Allocation(
        divide=uniform, label="Uniform", says=lambda _: "the same share of every layer"
    ),
    "protect-ends": Allocation(
        divide=protect_ends, label="Protect ends", says=_protected_ends_text
    ),
    "global": Allocation(
        divide=ranked_globally,
        label="Global",
        says=lambda _: "wherever scores, standardised within each layer, are lowest",
        looks_at_scores=True,
    ),
    "threshold": Allocation(
        divide=by_threshold,
        label="One threshold",
        says=lambda n_layers: (
            "wherever scores are under one threshold for all layers, as in {liu2025}, of which the "
            "first "
            f"{protected_ends(n_layers)[0]} and the last {protected_ends(n_layers)[1]} are spared"
        ),
        looks_at_scores=True,
    ),
    "global-by-size": Allocation(
        divide=by_size,
        label="Global, by size",
        says=lambda _: (
            "wherever scores are lowest, compared over layers as they are; no layer gives more "
            f"than {CAP:.0%} of its units before all have given as much"
        ),
        looks_at_scores=True,
    ),
    WEIGHTED: Allocation(
        divide=weighted,
        label="Weighted",
        says=lambda _: "shares of the layers in proportion to weights that were searched or given",
        takes_weights=True,
    ),
}


def allocation_named(name: str) -> Allocation:
    """Return the allocation with this name; the error lists those there are."""
    return row_named(ALLOCATIONS, name, "allocation")


def allocate(name: str, budget: Budget) -> NDArray[np.int64]:
    """Return the units to remove per layer, (n_layers,), by one row of the table."""
    removed = allocation_named(name).divide(budget)
    if budget.multiple is None:
        return removed
    widths = np.asarray(budget.layout.widths, dtype=np.int64)
    kept = _round_to_multiple(budget, widths - removed)
    return np.asarray(np.maximum(widths - kept, 0), dtype=np.int64)


def default_multiple(width: int) -> int:
    """Return the multiple for widths: 64, or the power of two below a sixteenth of less."""
    return min(64, 1 << max(0, (width // 16).bit_length() - 1))
