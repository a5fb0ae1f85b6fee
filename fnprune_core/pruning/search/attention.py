"""Search of how to divide a cut between MLP units and attention: mixes of equal size.

The choice is made on text that neither the recording read nor the final figures are measured on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.results import paired_difference
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.head_planner import parameters_of_groups
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.search.trials import SearchOrder, Trial, Trials, check_anything_goes

#: Shares of attention that are tried unless others are asked for.
SHARES = (0.0, 0.05, 0.1, 0.2)
MOST_SHARES = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShareSearch:
    """State of a search of mixes; the first mix is the one that others are compared with.

    Parameters
    ----------
    mixes : tuple of Trial
        Those that are measured to their end, of equal size but for rounding to whole groups.
    n_mixes : int
        Of the whole search.
    """

    mixes: tuple[Trial, ...]
    n_mixes: int

    @property
    def best(self) -> Trial:
        """The mix of the lowest mean loss per token."""
        return min(self.mixes, key=lambda mix: mix.result.mean_nll)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per mix; differences are paired by window, in nats per token."""
        if not self.mixes:
            return []
        first, best = self.mixes[0], self.best
        rows = []
        for mix in self.mixes:
            paired = paired_difference(mix.result, first.result)
            rows.append(
                {
                    "attention_ratio": mix.settings.attention_ratio,
                    "ratio": mix.settings.ratio,
                    "share_of_parameters": mix.plan.share_of_parameters,
                    "perplexity": mix.result.perplexity,
                    "difference": paired.difference,
                    "difference_error": paired.standard_error,
                    "is_clear": paired.is_clear,
                    "is_best": mix is best,
                    "plan_id": mix.plan_id,
                }
            )
        return rows


@dataclass(frozen=True, kw_only=True)
class ShareOrder(SearchOrder[ShareSearch]):
    """Order for a search of mixes: the cut to divide, and the shares of attention to try.

    Parameters
    ----------
    shares : tuple of float
        Shares of all KV groups to try.
    """

    shares: tuple[float, ...] = SHARES

    def __post_init__(self) -> None:
        SearchOrder.__post_init__(self)
        if not 0 < len(self.shares) <= MOST_SHARES:
            raise SettingsError(
                f"{len(self.shares):,} shares of attention were given, 1 to {MOST_SHARES:,} are "
                "tried.",
                hint='Write them as "0,0.05,0.1".',
            )
        outside = [share for share in self.shares if not 0 <= share < 1]
        if outside:
            raise SettingsError(
                f"A share of attention lies in [0, 1), got {outside[0]:g}.",
                hint="For 10 % write 0.1.",
            )

    def wanted(self, language_model: LanguageModel) -> list[PlanSettings]:
        """Return the settings of each mix: all take as many parameters (`mixes_of_equal_size`)."""
        return mixes_of_equal_size(language_model, self.base, shares=self.shares)

    def steps(self, trials: Trials) -> Iterator[ShareSearch]:
        """Yield the search after each mix."""
        wanted = self.wanted(trials.language_model)
        trials.n_plans = len(wanted)
        mixes: list[Trial] = []
        for mix in trials.measure(wanted):
            mixes.append(mix)
            yield ShareSearch(mixes=tuple(mixes), n_mixes=len(wanted))


def mixes_of_equal_size(
    language_model: LanguageModel, settings: PlanSettings, *, shares: Sequence[float] = SHARES
) -> list[PlanSettings]:
    """Return settings that all take as many parameters, with more or less of them in attention.

    Each share is moved to a whole number of KV groups; what attention gives more, MLP units give
    less. A share that alone takes more than the whole cut is left out.

    Raises
    ------
    SettingsError
        If fewer than two mixes are left.
    RatioError
        If nothing is to go.
    """
    layout = language_model.attention
    n_groups = layout.groups.n_units
    n_attention_parameters = parameters_of_groups(
        language_model, [np.arange(width) for width in layout.groups.widths]
    )
    n_mlp_parameters = language_model.anatomy().n_mlp_parameters
    total = settings.ratio * n_mlp_parameters + settings.attention_ratio * n_attention_parameters
    check_anything_goes(total)
    mixes: dict[float, PlanSettings] = {}
    for share in sorted(shares):
        attention = round(share * n_groups) / n_groups
        ratio = (total - attention * n_attention_parameters) / n_mlp_parameters
        if 0 <= ratio < 1:
            mixes[attention] = canonical_settings(
                settings.with_(ratio=ratio, attention_ratio=attention)
            )
    if len(mixes) < 2:
        raise SettingsError(
            "These shares of attention leave fewer than two mixes of this size to compare.",
            hint=f"One KV group is {100 / n_groups:.1f} % of attention, and all of the cut would "
            f"be {100 * total / n_attention_parameters:.0f} % of it: ask for shares in between.",
        )
    return list(mixes.values())
