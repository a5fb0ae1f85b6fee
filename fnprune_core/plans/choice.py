"""The units that go under a plan's settings: the lowest scored, as its allocation divides them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import PlanError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import Budget, allocate
from fnprune_core.plans.plan import PlanSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """Units to remove in each layer.

    Parameters
    ----------
    removed : tuple of ndarray
        Indices in each layer.
    layout : UnitLayout
    scores : ndarray (n_units,)
        What was chosen by.
    protected : ndarray (n_units,)
        Units that stay whatever their score.
    """

    removed: tuple[NDArray[np.int64], ...]
    layout: UnitLayout
    scores: NDArray[np.float64]
    protected: NDArray[np.bool_]

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The lowest score of each layer that stays; a preview asks for many choices, not this."""
        may_go = self.layout.keep_of(self.removed) & ~self.protected
        layers = zip(self.layout.split(self.scores), self.layout.split(may_go), strict=True)
        # Where only protected units are left, the threshold lies above all scores.
        return tuple(
            float(scores[kept].min() if kept.any() else np.nextafter(scores.max(), np.inf))
            for scores, kept in layers
        )


def choose_units(
    scores: NDArray[np.float64],
    settings: PlanSettings,
    *,
    layout: UnitLayout,
    sinks: NDArray[np.bool_] | None = None,
) -> Choice:
    """Return the lowest-scored units of each layer, within the allocation's budget.

    Of a mixture of experts, the uniform allocation takes the same share of every expert, so that
    all stay equally wide. Ties go by index. The ratio is met to one unit, or with a multiple
    undercut as little as the rounding allows. Sink units and those pinned to stay never go; those
    pinned to go always do, sink units or not.

    Parameters
    ----------
    scores : ndarray (n_units,)
    sinks : ndarray (n_units,), optional
        Units that serve attention sinks.

    Raises
    ------
    PlanError
        If a score is not finite, or all units of a layer are pinned to go.
    RatioError
        If the ratio is not possible, with the most or the least that is.
    """
    if not np.isfinite(scores).all():
        raise PlanError("A score is not finite.", hint="Record again in float32 or bfloat16.")
    pinned_keep, pinned = settings.pins(layout)
    for layer, layer_pinned in enumerate(layout.split(pinned)):
        if layer_pinned.all():
            raise PlanError(
                f"All units of layer {layer} are pinned to go: it would be empty.",
                hint="Let at least one unit stay.",
            )
    protected = (pinned_keep if sinks is None else sinks | pinned_keep) & ~pinned
    # Rows of checkpoints hold experts that are equally wide.
    parts = layout.by_expert if settings.allocation == "uniform" else layout
    budget = Budget(
        layout=parts,
        n_removed=round(settings.ratio * layout.n_units),
        scores=scores,
        protected=protected,
        pinned=pinned,
        multiple=settings.multiple,
        weights=settings.layer_weights,
        kinds=parts.widths if parts is not layout else (),
    )
    counts = allocate(settings.allocation, budget)
    ranks = np.where(protected, np.inf, np.where(pinned, -np.inf, scores))
    goes = np.concatenate(
        [
            lowest(part_ranks, int(count))
            for part_ranks, count in zip(parts.split(ranks), counts, strict=True)
        ]
    )
    return Choice(
        removed=layout.removed_of(~goes), layout=layout, scores=scores, protected=protected
    )


def group_counts(
    groups: UnitLayout,
    settings: PlanSettings,
    *,
    scores: NDArray[np.float64] | None = None,
    turn: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Return how many KV groups of each layer go, to one group: (n_layers,).

    With a multiple, the uniform allocation keeps the same number in every layer.

    Parameters
    ----------
    scores : ndarray (n_groups,), optional
        All alike if not given.
    turn : ndarray (n_layers,), optional
        Which layers give first where shares are below one group (`Budget`).
    """
    budget = Budget(
        layout=groups,
        n_removed=round(settings.attention_ratio * groups.n_units),
        scores=np.zeros(groups.n_units) if scores is None else scores,
        protected=np.zeros(groups.n_units, dtype=bool),
        multiple=None if settings.multiple is None else 1,
        turn=turn,
        weights=settings.layer_weights,
        what="KV groups",
    )
    return allocate(settings.allocation, budget)


def lowest(ranks: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return which values of each row are its `count` lowest, ties by index; shape of `ranks`."""
    if count <= 0:
        return np.zeros(ranks.shape, dtype=bool)
    # A partition, not a sort: a preview calls this at every key press.
    limit = np.partition(ranks, count - 1)[..., count - 1 : count]
    is_lowest, is_tied = ranks < limit, ranks == limit
    n_left = count - is_lowest.sum(axis=-1, keepdims=True)
    return np.asarray(is_lowest | (is_tied & (np.cumsum(is_tied, axis=-1) <= n_left)))
