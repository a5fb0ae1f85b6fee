"""What a plan would do, at once: which units go, what is left, what each network is worth.

Prepared once from a recording and its atlas; then every choice of networks, ratio and allocation
is answered in a fraction of a second, without the recording and without the model. Scores that
depend on networks are approximate (`token_groups`), and how near they come is measured when the
preview is prepared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import PlanError
from fnprune_core.models.footprint import Dimensions, Footprint
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import choose_units
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.scores.token_groups import TokenGroups, energy_shares
from fnprune_core.scores.token_weights import RULES, ByEnergy, TokenWeights

#: Scores that a preview cannot know, and why.
NOT_PREVIEWED = {
    "taylor": "it needs gradients of the loss, a pass over the text by the model",
}

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How near a preview came to the exact plan, once.

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
    """What a plan would do.

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
        """Units that would go, per layer."""
        return np.array([len(part) for part in self.removed], dtype=np.int64)

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which units would stay: (n_units,)."""
        return self.layout.keep_of(self.removed)

    @property
    def share_of_parameters(self) -> float:
        """Share of all parameters that would go."""
        return 1 - self.pruned.n_parameters / self.dense.n_parameters


class Preview:
    """Answers what plans would do.

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
        self._sinks: dict[int, NDArray[np.bool_]] = {}

    def preserved(self, settings: PlanSettings) -> tuple[int, ...]:
        """Return the networks that the settings preserve, spelled out."""
        if settings.preserved is None:
            return tuple(range(self.atlas.n_networks))
        return tuple(self.atlas.check_network(network) for network in settings.preserved)

    def plan(self, settings: PlanSettings) -> PreviewedPlan:
        """Return what a plan would do.

        Raises
        ------
        PlanError
            If the score cannot be previewed; it says why.
        RatioError
            If the ratio is not possible, with the most that is.
        """
        chosen = canonical_settings(settings)
        row = scorer(chosen.score)
        weights = row.weights(self, chosen)
        removed = self.choose(row.score(self, chosen), chosen)
        counts = [len(part) for part in removed]
        return PreviewedPlan(
            removed=removed,
            layout=self.layout,
            settings=chosen,
            dense=self.dimensions.footprint([0] * len(counts), context=self.context),
            pruned=self.dimensions.footprint(
                counts,
                context=self.context,
                removed_groups=round(chosen.attention_ratio * self.dimensions.n_groups),
            ),
            effective_tokens=float(weights.sum() ** 2 / np.square(weights).sum()),
            is_exact=row.is_exact or len(self.preserved(chosen)) == self.atlas.n_networks,
        )

    def expected_agreement(self, settings: PlanSettings) -> Check | None:
        """Return the check that was most like these settings, None if none was made."""
        n_dropped = self.atlas.n_networks - len(self.preserved(settings))
        return min(
            (check for check in self.checks if check.score == settings.score),
            key=lambda c: (abs(c.n_dropped - n_dropped), abs(c.ratio - settings.ratio)),
            default=None,
        )

    def weights_by(self, score: str) -> TokenWeights:
        """Return how a score that looks at networks weighs tokens; as network energy by default."""
        rule = RULES.get(score, ByEnergy)
        if rule not in self._rules:
            self._rules[rule] = rule(self.atlas)
        return self._rules[rule]

    @cached_property
    def own_energy(self) -> Scores:
        """Each unit's output variance over the tokens that each network rules: (K, n_units).

        A token counts by the network's share in its energy.
        """
        return self.weighted_energy(energy_shares(self.atlas) * _usable(self) + 1e-12)

    def weighted_energy(self, weights: NDArray[np.float64]) -> Scores:
        """Return ‖W[:, j]‖² · variance under each row of weights: (n, n_units)."""
        return np.asarray(self.groups.moments(weights)[1] * self.norms["column_norms"])

    def sinks(self, n_per_layer: int) -> NDArray[np.bool_]:
        """Return the units that serve attention sinks, as `scores.sink_units`."""
        if n_per_layer in self._sinks:
            return self._sinks[n_per_layer]
        strength = self.norms["dummy_max"].astype(np.float64) * np.sqrt(self.norms["column_norms"])
        chosen = np.zeros(self.layout.n_units, dtype=bool)
        if n_per_layer and self.atlas.is_dummy.any():
            for layer, part in enumerate(self.layout.split(strength)):
                top = np.argsort(-part, kind="stable")[:n_per_layer]
                chosen[self.layout.flat(layer, top)] = True
        chosen.setflags(write=False)
        self._sinks[n_per_layer] = chosen
        return chosen

    def keep(self, settings: PlanSettings) -> NDArray[np.bool_]:
        """Return which units would stay: (n_units,)."""
        chosen = canonical_settings(settings)
        scores = scorer(chosen.score).score(self, chosen)
        return self.layout.keep_of(self.choose(scores, chosen))

    def choose(self, scores: Scores, chosen: PlanSettings) -> tuple[NDArray[np.int64], ...]:
        """Return the units of each layer that would go under these scores."""
        pinned_keep, pinned_remove = chosen.pins(self.layout)
        return choose_units(
            np.asarray(scores, dtype=np.float64),
            layout=self.layout,
            ratio=chosen.ratio,
            allocation=chosen.allocation,
            protected=(self.sinks(chosen.sink_units) & ~pinned_remove) | pinned_keep,
            pinned=pinned_remove,
            multiple=chosen.multiple,
            layer_weights=chosen.layer_weights,
        ).removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """How a preview computes one row of the table of scores.

    Parameters
    ----------
    score : callable
        Preview and settings to scores (n_units,).
    weights : callable
        How much each token counts: (n_tokens,).
    is_exact : bool
        Whether it is the plan's score up to rounding, for any choice of networks.
    """

    score: Callable[[Preview, PlanSettings], Scores]
    weights: Callable[[Preview, PlanSettings], NDArray[np.float64]]
    is_exact: bool = True


def _usable(preview: Preview, settings: PlanSettings | None = None) -> NDArray[np.float64]:
    return (~preview.atlas.is_dummy).astype(np.float64)


def _every(preview: Preview, settings: PlanSettings) -> NDArray[np.float64]:
    return np.ones(len(preview.atlas.is_dummy))


def _by_networks(preview: Preview, settings: PlanSettings) -> NDArray[np.float64]:
    return preview.weights_by(settings.score).of(preview.preserved(settings))


def _one_energy(preview: Preview, weights: NDArray[np.float64]) -> Scores:
    return np.asarray(preview.weighted_energy(weights[None])[0])


def _energy(preview: Preview, settings: PlanSettings) -> Scores:
    return _one_energy(preview, _by_networks(preview, settings))


def _flap(preview: Preview, settings: PlanSettings) -> Scores:
    return _one_energy(preview, _usable(preview, settings))


def _flap_published(preview: Preview, settings: PlanSettings) -> Scores:
    return _one_energy(preview, _every(preview, settings))


def _wanda(preview: Preview, settings: PlanSettings) -> Scores:
    weights = _usable(preview, settings)
    mean, variance = preview.groups.moments(weights[None])
    energy = (variance[0] + np.square(mean[0])) * weights.sum()
    return np.asarray(np.sqrt(energy) * preview.norms["column_sums"])


def _membership(preview: Preview, settings: PlanSettings) -> Scores:
    maps = preview.atlas.maps[list(preview.preserved(settings))]
    return np.asarray(np.abs(maps).max(axis=0), dtype=np.float64)


def _magnitude(preview: Preview, settings: PlanSettings) -> Scores:
    return np.asarray(preview.norms["column_norms"] * preview.norms["feeding_norms"])


def _random(preview: Preview, settings: PlanSettings) -> Scores:
    n_units = preview.layout.n_units
    return np.random.default_rng([settings.seed, n_units]).random(n_units)


#: By the names of the table of scores; a score that is in neither table is not previewed either.
SCORERS: dict[str, Scorer] = {
    "network-energy": Scorer(score=_energy, weights=_by_networks, is_exact=False),
    "network-context": Scorer(score=_energy, weights=_by_networks, is_exact=False),
    "network-membership": Scorer(score=_membership, weights=_usable),
    "flap": Scorer(score=_flap, weights=_usable),
    "flap-published": Scorer(score=_flap_published, weights=_every),
    "wanda": Scorer(score=_wanda, weights=_usable),
    "magnitude": Scorer(score=_magnitude, weights=_usable),
    "random": Scorer(score=_random, weights=_usable),
}


def scorer(name: str) -> Scorer:
    """Return how a score is previewed, or say why it is not."""
    if name not in SCORERS:
        why = NOT_PREVIEWED.get(name, "the preview does not know it")
        raise PlanError(
            f"The score {name} is not previewed: {why}.",
            hint="Apply makes the plan; or look at the preview of another score.",
        )
    return SCORERS[name]


def why_not_previewed(score: str) -> str:
    """Return why a score is not previewed, or an empty string if it is."""
    return "" if score in SCORERS else NOT_PREVIEWED.get(score, "the preview does not know it")
