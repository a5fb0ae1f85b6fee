"""The size of a model as a goal: how many units must go for it to be as small as asked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.export.forms import form_named
from fnprune_core.export.gguf.weights import weight_type
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import Budget, allocate, allocation_named
from fnprune_core.plans.choice import group_counts
from fnprune_core.plans.plan import PlanSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeGoal:
    """The size that a pruned model should have at most, in one of three units.

    Parameters
    ----------
    smaller : float, optional
        Share of all parameters that goes, in [0, 1).
    n_parameters : int, optional
        Parameters that stay, embedding and attention too.
    n_bytes : int, optional
        Of the weights in an export's file.
    form, weights : str
        The export whose bytes are meant: a row of `FORMS`; `weights` only for the form gguf. The
        other forms keep the number format of the model in memory.
    """

    smaller: float | None = None
    n_parameters: int | None = None
    n_bytes: int | None = None
    form: str = "per-layer"
    weights: str = "F16"

    def __post_init__(self) -> None:
        asked = (self.smaller, self.n_parameters, self.n_bytes)
        if sum(value is not None for value in asked) != 1:
            raise SettingsError(
                "A size is asked for in one unit: a share of the parameters, parameters, or bytes.",
                hint="Give one of them.",
            )
        if self.smaller is not None and not 0 <= self.smaller < 1:
            raise SettingsError(
                "A model can be smaller by a share from 0 to below 1 of its parameters; got "
                f"{self.smaller}.",
                hint="For 30 % write 30%, or 0.3.",
            )
        if not form_named(self.form).is_smaller:
            raise SettingsError(
                f"The {self.form} form is as large as the dense model, whatever goes.",
                hint="Ask for the size of another form.",
            )
        weight_type(self.weights)

    def most_parameters(self, dimensions: Dimensions) -> float:
        """Return how many parameters may stay at most.

        Raises
        ------
        SettingsError
            If the dense model is as small as that without pruning.
        """
        if self.smaller is not None:
            return dimensions.n_parameters * (1 - self.smaller)
        most = float(self.n_parameters or 0)
        each = bytes_each(dimensions, form=self.form, weights=self.weights)
        if self.n_bytes is not None:
            most = self.n_bytes / each
        if most >= dimensions.n_parameters:
            n_parameters = dimensions.n_parameters
            raise SettingsError(
                f"The dense model is as small as that: {n_parameters / 1e6:,.1f} M parameters, "
                f"{n_parameters * each / 1e6:,.1f} MB in this form.",
                hint="Ask for less.",
            )
        return most


def bytes_each(dimensions: Dimensions, *, form: str, weights: str = "F16") -> float:
    """Return about how many bytes a parameter takes in an export's file."""
    if form_named(form).is_gguf:
        return weight_type(weights).bytes_each
    return dimensions.parameter_bytes / dimensions.n_parameters


def ratio_for(
    goal: SizeGoal, dimensions: Dimensions, layout: UnitLayout, settings: PlanSettings
) -> float:
    """Return the least ratio of MLP units by which a model becomes as small as asked.

    It is met to one unit; where widths are rounded to a multiple, to one step of all layers. What
    attention gives up counts, too.

    Parameters
    ----------
    settings : PlanSettings
        All but the ratio: pins, sink units, allocation, multiple, and the attention's ratio.

    Raises
    ------
    RatioError
        If so much cannot go, saying the smallest size that is possible.
    SettingsError
        If the dense model is that small, or a multiple rounds layers in a way that is known only
        once scores are.
    """
    if settings.multiple and allocation_named(settings.allocation).looks_at_scores:
        raise SettingsError(
            f"With the allocation {settings.allocation}, how widths round to a multiple is known "
            "only once the plan is made, so no size can be met.",
            hint="Leave the multiple out, or take the allocation uniform.",
        )
    counts_of = _counts(layout, settings)
    per_unit = np.array(dimensions.parameters_per_unit, dtype=np.int64)
    of_heads = dimensions.parameters_per_group * _n_groups(dimensions, layout, settings)

    def stays(n_removed: int) -> int:
        return dimensions.n_parameters - of_heads - int(per_unit @ counts_of(n_removed))

    most = goal.most_parameters(dimensions)
    least = len(settings.pinned_remove)
    possible = _last(lambda n: _is_possible(counts_of, n), least, layout.n_units)
    if stays(possible) > most:
        smallest = stays(possible)
        each = bytes_each(dimensions, form=goal.form, weights=goal.weights)
        raise RatioError(
            f"The model cannot be that small: {most / 1e6:,.1f} M parameters are asked for, and "
            f"with this allocation at least {smallest / 1e6:,.1f} M stay "
            f"({smallest * each / 1e6:,.1f} MB), "
            f"{100 * (1 - smallest / dimensions.n_parameters):.1f} % fewer than the dense model's.",
            hint="Ask for less, take another allocation, or let attention give up some.",
        )
    if stays(least) <= most:
        return least / layout.n_units
    return (_last(lambda n: stays(n) > most, least, possible) + 1) / layout.n_units


def _counts(layout: UnitLayout, settings: PlanSettings) -> Callable[[int], NDArray[np.int64]]:
    """Return the function from units that go in all to those of each layer, scores aside."""
    protected, pinned = held_units(layout, settings)

    def counts(n_removed: int) -> NDArray[np.int64]:
        budget = Budget(
            layout=layout,
            n_removed=n_removed,
            scores=np.zeros(layout.n_units),
            protected=protected,
            pinned=pinned,
            multiple=settings.multiple,
            weights=settings.layer_weights,
        )
        return allocate(settings.allocation, budget)

    return counts


def held_units(
    layout: UnitLayout, settings: PlanSettings
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which units must stay and which must go, (n_units,) each, without a recording.

    Which units serve attention sinks is not known then, only how many: pins are taken to be among
    them, so that what cannot be met with these cannot be met at all.
    """
    stay, go = settings.pins(layout)
    for is_staying, is_going in zip(layout.split(stay), layout.split(go), strict=True):
        free = np.flatnonzero(~is_staying & ~is_going)
        # `is_staying` is a view into `stay`
        is_staying[free[: max((settings.sink_units or 0) - int(is_staying.sum()), 0)]] = True
    return stay, go


def _n_groups(dimensions: Dimensions, layout: UnitLayout, settings: PlanSettings) -> int:
    """Return how many KV groups go, as the planner lets them go."""
    if not settings.attention_ratio:
        return 0
    per_layer = dimensions.n_groups // layout.n_layers
    groups = UnitLayout((per_layer,) * layout.n_layers)
    return int(group_counts(groups, settings).sum())


def _is_possible(counts_of: Callable[[int], NDArray[np.int64]], n_removed: int) -> bool:
    try:
        counts_of(n_removed)
    except RatioError:
        return False
    return True


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number from `low` to `high` for which something holds, as it does first.

    By halving: O(log n) questions.
    """
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
