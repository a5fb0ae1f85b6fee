"""Search over the shares that blocks of layers give, by whole plans.

Losses measured one layer at a time do not add up, so every trial is a whole plan, compensated and
measured on text that neither the recording read nor the final figures are measured on. A round
shifts a little of the cut into each block of neighbouring layers, by itself, and then moves all
blocks together against what that cost; a move is kept only if it helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.evaluation.results import PairedDifference, Perplexity, paired_difference
from fnprune_core.inputs.numbers import check_most
from fnprune_core.machine import memory
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.search.trials import Trials
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

#: Steps along the direction that a round finds, as multiples of the shift that it tried.
STEPS = (0.5, 1.0, 2.0)
_MOST = 0.9  # of a layer's units


MOST_BLOCKS = 10_000
MOST_ROUNDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationOrder:
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

    recording_id: str
    base: PlanSettings
    decomposition_id: str | None = None
    n_blocks: int = 10
    n_rounds: int = 1
    shift: float = 0.12

    def __post_init__(self) -> None:
        canonical_settings(self.base)
        if not self.base.ratio:
            raise RatioError(
                "Nothing is to go, so there is nothing to divide.", hint="Choose a ratio above 0."
            )
        check_most("n_blocks", self.n_blocks, MOST_BLOCKS)
        check_most("n_rounds", self.n_rounds, MOST_ROUNDS)
        if self.n_blocks < 2:
            raise SettingsError(f"n_blocks must be 2 or more, got {self.n_blocks}.")
        if self.n_rounds < 1:
            raise SettingsError(f"n_rounds must be 1 or more, got {self.n_rounds}.")
        if not 0 < self.shift < 1:
            raise SettingsError(f"shift is a share of a layer's units, got {self.shift:g}.")

    def n_plans(self, n_layers: int) -> int:
        """Return how many plans are made and measured for a model of so many layers."""
        return 1 + self.n_rounds * (min(self.n_blocks, n_layers) + len(STEPS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllocationSearch:
    """State of a search of the allocation: its first plan and its best one so far.

    Parameters
    ----------
    base : PlanSettings
        Of the plan that it began with.
    first, best : Perplexity
        Of the plan that it began with, and of the best one, on the text of the search.
    first_shares, best_shares : ndarray (n_layers,)
        The share of its units that each layer gives in them.
    settings : PlanSettings
        The best plan's: with the allocation ``weighted``, unless nothing helped.
    n_measured, n_plans : int
        Plans measured, and of the whole search.
    """

    base: PlanSettings
    first: Perplexity
    best: Perplexity
    first_shares: NDArray[np.float64]
    best_shares: NDArray[np.float64]
    settings: PlanSettings
    n_measured: int
    n_plans: int

    @property
    def gain(self) -> PairedDifference:
        """The best plan's loss less the first one's, paired by window; in nats per token."""
        return paired_difference(self.best, self.first)


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


@memory.kept()
def search_allocation(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    order: AllocationOrder,
    on_partial: Callable[[AllocationSearch], None] = lambda partial: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> AllocationSearch:
    """Search weights of the layers that lower the loss of a plan of this size.

    Plans of trials stay in the workspace, so that a stopped search goes on where it was.

    Parameters
    ----------
    windows : Windows
        Of a text that neither the recording nor the final figures know (`unread_windows`).
    on_partial : callable
        Called with the search after each round.
    """
    trials = Trials(
        workspace,
        language_model,
        windows,
        recording_id=order.recording_id,
        decomposition_id=order.decomposition_id,
        n_plans=order.n_plans(language_model.layout.n_layers),
        progress=progress,
        cancel=cancel,
    )
    search = _Search(trials, order, language_model.layout.widths)
    for _ in range(order.n_rounds):
        search.run_round()
        on_partial(search.so_far())
    return search.so_far()


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """One plan that was tried, with the shares its layers give and its measured loss."""

    shares: NDArray[np.float64]
    settings: PlanSettings
    result: Perplexity


class _Search:
    """A running search: its first plan, and its best one so far."""

    def __init__(self, trials: Trials, order: AllocationOrder, widths: Sequence[int]) -> None:
        self.trials, self.order = trials, order
        self.widths = np.array(widths, dtype=np.float64)
        self.blocks = blocks_of(len(widths), order.n_blocks)
        base = canonical_settings(order.base)
        [self.first] = self._measure([base])
        self.best = self.first

    def run_round(self) -> None:
        """Shift each block by itself, then all of them against what that cost."""
        current = self.best
        trial_shares = [shifted(current.shares, block, self.order.shift) for block in self.blocks]
        losses = [state.result.mean_nll for state in self._measure_shares(trial_shares)]
        slope = np.zeros_like(current.shares)
        for block, loss, shares in zip(self.blocks, losses, trial_shares, strict=True):
            extra = (shares - current.shares)[block].sum()
            if extra > 0:
                slope[block] = (loss - current.result.mean_nll) / extra
        slope[(current.shares == 0) & (slope > 0)] = 0  # it gives nothing already
        if not np.abs(slope).any():
            return
        direction = -slope / np.abs(slope).max() * self.order.shift
        stepped = self._measure_shares(
            [np.clip(current.shares + step * direction, 0, _MOST) for step in STEPS]
        )
        self.best = min([current, *stepped], key=lambda state: state.result.mean_nll)

    def _measure_shares(self, shares: Sequence[NDArray[np.float64]]) -> list[_State]:
        settings = [
            self.order.base.with_(allocation=WEIGHTED, layer_weights=tuple(layer_shares.tolist()))
            for layer_shares in shares
        ]
        return self._measure([canonical_settings(trial) for trial in settings])

    def _measure(self, settings: Sequence[PlanSettings]) -> list[_State]:
        plan_ids = self.trials.make(settings)
        losses = self.trials.losses(plan_ids)
        return [
            _State(shares=self._shares(plan_id), settings=trial, result=loss)
            for trial, plan_id, loss in zip(settings, plan_ids, losses, strict=True)
        ]

    def _shares(self, plan_id: str) -> NDArray[np.float64]:
        """Return the share of its units that each layer gives."""
        removed = open_plan(self.trials.workspace, plan_id).removed
        return np.array([len(units) for units in removed]) / self.widths

    def so_far(self) -> AllocationSearch:
        return AllocationSearch(
            base=self.first.settings,
            first=self.first.result,
            best=self.best.result,
            first_shares=self.first.shares,
            best_shares=self.best.shares,
            settings=self.best.settings,
            n_measured=self.trials.n_measured,
            n_plans=self.order.n_plans(len(self.widths)),
        )
