"""Search over the shares that blocks of layers give, by whole plans.

Losses measured one layer at a time do not add up, so every trial is a whole plan, compensated and
measured on text that neither the recording read nor the final figures are measured on. A round
shifts a little of the cut into each block of neighbouring layers, by itself, and then moves all
blocks together against what that cost; a move is kept only if it helps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.results import PairedDifference, paired_difference
from fnprune_core.inputs.numbers import check_range
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.search.trials import SearchOrder, Trial, Trials, check_anything_goes

#: Steps along the direction that a round finds, as multiples of the shift that it tried.
STEPS = (0.5, 1.0, 2.0)
_MOST = 0.9  # of a layer's units
MOST_BLOCKS = 10_000
MOST_ROUNDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllocationSearch:
    """State of a search of the allocation.

    Parameters
    ----------
    first, best : Trial
        The plan that it began with, and the best one so far: with the allocation ``weighted``,
        unless nothing helped.
    n_measured, n_plans : int
        Plans measured, and of the whole search.
    """

    first: Trial
    best: Trial
    n_measured: int
    n_plans: int

    @property
    def gain(self) -> PairedDifference:
        """The best plan's loss less the first one's, paired by window; in nats per token."""
        return paired_difference(self.best.result, self.first.result)


@dataclass(frozen=True, kw_only=True)
class AllocationOrder(SearchOrder[AllocationSearch]):
    """Order for a search of the allocation: the plan to better, and how.

    Parameters
    ----------
    base : PlanSettings
        The plan whose allocation is bettered; the search begins at its own.
    n_blocks : int
        Of neighbouring layers, about as many in each.
    n_rounds : int
        Each makes and measures as many plans as there are blocks, and three more.
    shift : float
        By how much of its units a layer of a block gives more in a trial.
    """

    n_blocks: int = 10
    n_rounds: int = 1
    shift: float = 0.12

    def __post_init__(self) -> None:
        SearchOrder.__post_init__(self)
        check_anything_goes(self.base.ratio)
        check_range("n_blocks", self.n_blocks, 2, MOST_BLOCKS)
        check_range("n_rounds", self.n_rounds, 1, MOST_ROUNDS)
        if not 0 < self.shift < 1:
            raise SettingsError(f"shift is a share of a layer's units, got {self.shift:g}.")

    def n_plans(self, n_layers: int) -> int:
        """Return how many plans are made and measured for a model of so many layers."""
        return 1 + self.n_rounds * (min(self.n_blocks, n_layers) + len(STEPS))

    def steps(self, trials: Trials) -> Iterator[AllocationSearch]:
        """Yield the search after each round."""
        n_plans = trials.n_plans = self.n_plans(trials.language_model.layout.n_layers)
        [first] = trials.measure([canonical_settings(self.base)])
        best = first
        for _ in range(self.n_rounds):
            best = _better(trials, self, best)
            yield AllocationSearch(
                first=first, best=best, n_measured=trials.n_measured, n_plans=n_plans
            )


def blocks_of(n_layers: int, n_blocks: int) -> list[NDArray[np.int64]]:
    """Return so many runs of neighbouring layers, or one for each layer where there are fewer."""
    return np.array_split(np.arange(n_layers), min(n_blocks, n_layers))


def shifted(
    shares: NDArray[np.float64], block: NDArray[np.int64], by: float
) -> NDArray[np.float64]:
    """Return shares with more taken from a block's layers, and as much less from the others."""
    moved = shares.copy()
    moved[block] = np.minimum(moved[block] + by, _MOST)
    others = np.setdiff1d(np.arange(len(shares)), block)
    extra = moved[block].sum() - shares[block].sum()
    others_sum = shares[others].sum()
    moved[others] *= max(1 - extra / others_sum, 0.0) if others_sum > 0 else 1.0
    return moved


def _better(trials: Trials, order: AllocationOrder, current: Trial) -> Trial:
    """Shift each block by itself, then all of them against what that cost; return the best."""
    blocks = blocks_of(len(current.shares), order.n_blocks)
    wanted = [shifted(current.shares, block, order.shift) for block in blocks]
    trials_of_blocks = trials.measure([_with_shares(order, shares) for shares in wanted])
    slope = np.zeros_like(current.shares)
    for block, shares, trial in zip(blocks, wanted, trials_of_blocks, strict=True):
        extra = (shares - current.shares)[block].sum()
        if extra > 0:
            slope[block] = (trial.result.mean_nll - current.result.mean_nll) / extra
    slope[(current.shares == 0) & (slope > 0)] = 0  # it gives nothing already
    if not np.abs(slope).any():
        return current
    direction = -slope / np.abs(slope).max() * order.shift
    stepped = trials.measure(
        [
            _with_shares(order, np.clip(current.shares + step * direction, 0, _MOST))
            for step in STEPS
        ]
    )
    return min([current, *stepped], key=lambda trial: trial.result.mean_nll)


def _with_shares(order: AllocationOrder, shares: NDArray[np.float64]) -> PlanSettings:
    weights = tuple(shares.tolist())
    return canonical_settings(order.base.with_(allocation=WEIGHTED, layer_weights=weights))
