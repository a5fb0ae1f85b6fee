"""Previews of plans: which units go, what is left and what each network is worth, at once.

Prepared once from a recording and its atlas; then every choice of networks, ratio and allocation
is answered in a fraction of a second, without the recording and without the model. Scores that
depend on networks are approximate (`token_groups`), and how near they come is measured when the
preview is prepared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import PlanError
from fnprune_core.models.footprint import Dimensions, Footprint
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import allocation_named
from fnprune_core.plans.choice import choose_units, lowest
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.scores.inputs import RecordedInputs, ScoreInputs
from fnprune_core.scores.score import Score, Scores
from fnprune_core.scores.token_groups import TokenGroups, energy_shares
from fnprune_core.scores.token_weights import TokenWeights, UsableTokens
from fnprune_core.scores.units import score_named, sink_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Agreement of a preview with one exact plan.

    Parameters
    ----------
    n_dropped : int
        Networks dropped, drawn at random.
    ratio : float
    agreement : float
        Share of the removed units that the exact plan removes too.
    score : str
    """

    n_dropped: int
    ratio: float
    agreement: float
    score: str = "network-energy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreviewedPlan:
    """Effect that a plan would have.

    Parameters
    ----------
    removed : tuple of ndarray
        Sorted unit indices that would go, in each layer.
    dense, pruned : Footprint
        Before and after, at a context of the recording's window. KV groups that would go are
        counted; which they are is not previewed.
    effective_tokens : float
        (Σ w)² / Σ w²: as many tokens of equal weight tell as much.
    is_exact : bool
        Whether the score is computed as the plan does it, up to rounding.
    """

    removed: tuple[NDArray[np.int64], ...]
    layout: UnitLayout
    settings: PlanSettings
    dense: Footprint
    pruned: Footprint
    effective_tokens: float
    is_exact: bool

    @property
    def n_removed(self) -> NDArray[np.int64]:
        """Number of units that would go, per layer."""
        return np.array([len(units) for units in self.removed], dtype=np.int64)

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which units would stay: (n_units,)."""
        return self.layout.keep_of(self.removed)

    @property
    def share_of_parameters(self) -> float:
        """Share of all parameters that would go."""
        return 1 - self.pruned.n_parameters / self.dense.n_parameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreviewInputs(ScoreInputs):
    """Inputs of scores from sums over groups of tokens, approximate, and a model's norms.

    Parameters
    ----------
    groups : TokenGroups
    norms : mapping of str to ndarray (n_units,)
        As `Preview` holds them.
    rules : dict
        Rules of how tokens count that were made before.
    """

    groups: TokenGroups
    norms: Mapping[str, NDArray[np.floating]]
    rules: dict[type[TokenWeights], TokenWeights]

    @property
    def layout(self) -> UnitLayout:
        """Layout of the units in layers."""
        return self.network_atlas().layout

    @property
    def is_dummy(self) -> NDArray[np.bool_]:
        """Tokens at the start of a window that statistics leave out: (n_tokens,)."""
        return self.network_atlas().is_dummy

    @property
    def dummy_max(self) -> NDArray[np.floating]:
        """Largest |activation| of each unit on dummy tokens."""
        return self.norms["dummy_max"]

    def moments(
        self, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and variance of each unit over weighted groups of tokens."""
        mean, variance = self.groups.moments(np.atleast_2d(weights))
        return (mean[0], variance[0]) if weights.ndim == 1 else (mean, variance)

    def column_sums(self, power: Literal[1, 2]) -> NDArray[np.float64]:
        """Return Σ|W[:, j]|^power of each unit's output column."""
        return np.asarray(self.norms["column_norms" if power == 2 else "column_sums"])

    def feeding_norms(self) -> NDArray[np.float64]:
        """Return Σ W² over the rows that feed each unit."""
        return np.asarray(self.norms["feeding_norms"])

    def recorded(self) -> RecordedInputs:
        """Raise PlanError: a preview has neither model nor recording."""
        raise PlanError("A preview has no model and no recording.", hint="Apply makes the plan.")

    def weigher(self, weighting: type[TokenWeights]) -> TokenWeights:
        """Return a rule of how tokens count, made once."""
        if weighting not in self.rules:
            self.rules[weighting] = weighting(self.network_atlas())
        return self.rules[weighting]


class Preview:
    """Preview of the plans that can be made from one atlas.

    Parameters
    ----------
    groups : TokenGroups
        Of the atlas's recording.
    atlas : NetworkAtlas
    dimensions : Dimensions
        Of the model.
    norms : mapping of str to ndarray (n_units,)
        ``column_norms`` Σ W², ``column_sums`` Σ |W| of each unit's output column,
        ``feeding_norms`` of what feeds it, ``dummy_max`` its largest |activation| on dummy tokens.
    checks : sequence of Check
    context : int
        Tokens that a token attends to, in the count of operations.
    """

    def __init__(
        self,
        *,
        groups: TokenGroups,
        atlas: NetworkAtlas,
        dimensions: Dimensions,
        norms: Mapping[str, NDArray[np.floating]],
        checks: Sequence[Check] = (),
        context: int,
    ) -> None:
        self.groups, self.atlas, self.dimensions = groups, atlas, dimensions
        self.norms, self.checks, self.context = norms, tuple(checks), context
        self.layout = atlas.layout
        self._rules: dict[type[TokenWeights], TokenWeights] = {}

    def preserved(self, settings: PlanSettings) -> tuple[int, ...]:
        """Return the networks that the settings preserve, spelled out."""
        if settings.preserved is None:
            return tuple(range(self.atlas.n_networks))
        return tuple(self.atlas.check_network(network) for network in settings.preserved)

    def plan(self, settings: PlanSettings) -> PreviewedPlan:
        """Return the effect of a plan with these settings.

        Raises
        ------
        PlanError
            If the score cannot be previewed; the message says why.
        RatioError
            If the ratio is not possible, with the most that is.
        """
        canonical = canonical_settings(settings)
        score, inputs = previewed_score(canonical.score), self.inputs(canonical)
        weights = score.token_weights(inputs)
        removed = self.choose(score.formula(inputs, weights), canonical)
        counts = [len(units) for units in removed]
        return PreviewedPlan(
            removed=removed,
            layout=self.layout,
            settings=canonical,
            dense=self.dimensions.footprint([0] * len(counts), context=self.context),
            pruned=self.dimensions.footprint(
                counts,
                context=self.context,
                removed_groups=round(canonical.attention_ratio * self.dimensions.n_groups),
            ),
            effective_tokens=float(weights.sum() ** 2 / np.square(weights).sum()),
            is_exact=not score.weighting.of_networks
            or len(self.preserved(canonical)) == self.atlas.n_networks,
        )

    def expected_agreement(self, settings: PlanSettings) -> Check | None:
        """Return the check that was most like these settings, None if none was made."""
        n_dropped = self.atlas.n_networks - len(self.preserved(settings))
        return min(
            (check for check in self.checks if check.score == settings.score),
            key=lambda check: (abs(check.n_dropped - n_dropped), abs(check.ratio - settings.ratio)),
            default=None,
        )

    def inputs(self, settings: PlanSettings) -> PreviewInputs:
        """Return the inputs of a plan's scores."""
        return PreviewInputs(
            atlas=self.atlas,
            preserved=self.preserved(settings),
            seed=settings.seed,
            groups=self.groups,
            norms=self.norms,
            rules=self._rules,
        )

    @cached_property
    def own_energy(self) -> Scores:
        """Each unit's output variance over the tokens that each network rules: (K, n_units).

        A token counts by the network's share in its energy.
        """
        usable = UsableTokens(self.atlas).of(())
        weights = energy_shares(self.atlas) * usable + 1e-12
        return np.asarray(self.groups.moments(weights)[1] * self.norms["column_norms"])

    def keep(self, settings: PlanSettings) -> NDArray[np.bool_]:
        """Return which units would stay: (n_units,)."""
        canonical = canonical_settings(settings)
        scores = previewed_score(canonical.score).compute(self.inputs(canonical))
        return self.layout.keep_of(self.choose(scores, canonical))

    def sinks(self, settings: PlanSettings) -> NDArray[np.bool_]:
        """Return which units serve attention sinks, as many as the settings say: (n_units,)."""
        return sink_units(self.inputs(settings), canonical_settings(settings).sink_units or 0)

    def choose(
        self,
        scores: Scores,
        settings: PlanSettings,
        *,
        sinks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], ...]:
        """Return the units of each layer that would go under these scores.

        Parameters
        ----------
        sinks : ndarray (n_units,), optional
            What `sinks` returns for the settings, where they are asked for many scores.
        """
        sinks = self.sinks(settings) if sinks is None else sinks
        values = np.asarray(scores, dtype=np.float64)
        return choose_units(values, settings, layout=self.layout, sinks=sinks).removed

    def keep_each(self, scores: Scores, settings: PlanSettings) -> NDArray[np.bool_]:
        """Return which units would stay under each row of scores: (n, n_units).

        As `choose` for each; where the layers' shares do not depend on the scores, all at once.
        """
        sinks = self.sinks(settings)
        if allocation_named(settings.allocation).looks_at_scores or not len(scores):
            kept = [self.layout.keep_of(self.choose(row, settings, sinks=sinks)) for row in scores]
            return np.array(kept, dtype=bool).reshape(len(scores), self.layout.n_units)
        if not np.isfinite(scores).all():
            raise PlanError("A score is not finite.", hint="Record again in float32 or bfloat16.")
        pinned_keep, pinned_remove = settings.pins(self.layout)
        counts = [len(units) for units in self.choose(scores[0], settings, sinks=sinks)]
        ranks = np.where(pinned_remove, -np.inf, np.where(sinks | pinned_keep, np.inf, scores))
        keep = np.ones(ranks.shape, dtype=bool)
        for layer, count in enumerate(counts):
            units = self.layout.layer_slice(layer)
            keep[:, units] = ~lowest(ranks[:, units], count)
        return keep


def previewed_score(name: str) -> Score:
    """Return the score with this name; raise PlanError if a preview cannot compute it."""
    score = score_named(name)
    if score.needs_model:
        raise PlanError(
            f"The score {name} is not previewed: {score.needs_model}.",
            hint="Apply makes the plan; or look at the preview of another score.",
        )
    return score


def why_not_previewed(score: str) -> str:
    """Return why a score is not previewed, or an empty string if it is."""
    return score_named(score).needs_model
