"""Estimates, from a preview, of what dropping each network would change in a plan."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.preview import Preview
from fnprune_core.scores.score import Scores
from fnprune_core.scores.token_weights import ByEnergy
from fnprune_core.scores.units import score_named

_AT_ONCE = 16  # networks, whose scores of all units are in memory


def network_costs(preview: Preview, settings: PlanSettings) -> pd.DataFrame:
    """Return what dropping each network would change, one row per network.

    Each is compared with the others left as they are: with it, and without. For one that is
    dropped already, that is what dropping it did.

    Returns
    -------
    DataFrame
        ``network``; ``preserved``, whether it is now; ``tokens``, the share of the text's weight
        that stops counting; ``tokens: <domain>``, the same in each domain; ``units``, that are
        swapped for others; ``energy``, by how much more of the layers' output variance goes,
        in the tokens that the network rules, as a share of all of it there (the mean over
        layers). The last two are missing for the only network that is preserved. All are facts
        of the plan, not losses.
    """
    preserved = set(preview.preserved(settings))
    costs = _Costs(preview, settings)
    table: dict[str, Any] = {
        "network": np.arange(costs.n),
        "preserved": [k in preserved for k in range(costs.n)],
        **costs.tokens(preserved),
    }
    if score_named(settings.score).uses_networks:
        units, energy = costs.swaps(preserved)
    else:  # the score does not look at networks
        units, energy = np.zeros(costs.n), np.zeros(costs.n)
        for name in list(table)[2:]:
            table[name] = np.zeros(costs.n)
    return pd.DataFrame(table | {"units": units, "energy": energy})


def energy_gone(preview: Preview, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each network's energy in the units that go: (K,).

    Its energy is the layers' output variance in the tokens that it rules; the mean over layers.
    """
    return 1 - _energy_share(preview, preview.own_energy, keep)


class _Costs:
    """Changes that dropping each network would make, by one plan's settings."""

    def __init__(self, preview: Preview, settings: PlanSettings) -> None:
        self.preview, self.settings = preview, settings
        self.score, self.inputs = score_named(settings.score), preview.inputs(settings)
        self.n = preview.atlas.n_networks
        self.is_usable = ~preview.atlas.is_dummy

    def tokens(self, preserved: set[int]) -> dict[str, NDArray[np.float64]]:
        """Return the share of the tokens' weight that stops counting, of all and of each domain."""
        # Networks that do not weigh tokens in the score are looked at as by network energy.
        weighting = self.score.weighting if self.score.weighting.of_networks else ByEnergy
        rule = self.inputs.weigher(weighting)
        toggled, current = rule.toggled(sorted(preserved)), rule.of(sorted(preserved))[None]
        is_preserved = np.array([k in preserved for k in range(self.n)])[:, None]
        weights_with = np.where(is_preserved, current, toggled)
        lost_weights = weights_with - np.where(is_preserved, toggled, current)
        codes = self.preview.atlas.tokens["domain"].cat.codes.to_numpy()
        shares = {"tokens": _lost_share(lost_weights, weights_with)}
        for domain, name in enumerate(self.preview.atlas.domain_names):
            in_domain = codes == domain
            shares[f"tokens: {name}"] = _lost_share(
                lost_weights[:, in_domain], weights_with[:, in_domain]
            )
        return shares

    def swaps(self, preserved: set[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return units swapped, and energy lost on a network's own tokens: (K,) each."""
        units, energy = np.full(self.n, np.nan), np.full(self.n, np.nan)
        keep_now: NDArray[np.bool_] | None = None
        for networks, scores in self._toggled_scores(preserved):
            keep_now = self.preview.keep(self.settings) if keep_now is None else keep_now
            keep_toggled = self.preview.keep_each(scores, self.settings)
            is_preserved = np.array([k in preserved for k in networks])[:, None]
            keep_with = np.where(is_preserved, keep_now, keep_toggled)
            keep_without = np.where(is_preserved, keep_toggled, keep_now)
            own_energy = self.preview.own_energy[networks]
            units[networks] = (keep_with & ~keep_without).sum(axis=1)
            energy[networks] = _energy_share(self.preview, own_energy, keep_with) - _energy_share(
                self.preview, own_energy, keep_without
            )
        return units, energy

    def _toggled_scores(self, preserved: set[int]) -> Iterator[tuple[list[int], Scores]]:
        """Yield networks of which any would be preserved after they change sides, and scores.

        (n, n_units), one row per network; a few networks at a time, which bounds the memory.
        """
        networks = [k for k in range(self.n) if preserved ^ {k}]
        if self.score.toggled is not None:
            all_scores = self.score.toggled(self.inputs)
            for few in _blocks(networks):
                yield few, np.asarray(all_scores[few], dtype=np.float64)
        elif self.score.weighting.of_networks:
            weights = self.inputs.weigher(self.score.weighting).toggled(sorted(preserved))
            for few in _blocks([k for k in networks if weights[k].sum() > 0]):
                counted = self.score.counted(self.inputs.is_dummy, weights[few])
                scores = self.score.formula(self.inputs, counted)
                yield few, np.asarray(scores, dtype=np.float64)
        else:
            for few in _blocks(networks):
                rows = [
                    self.score.compute(
                        replace(self.inputs, preserved=tuple(sorted(preserved ^ {k})))
                    )
                    for k in few
                ]
                yield few, np.array(rows, dtype=np.float64)


def _energy_share(preview: Preview, energy: Scores, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of a layer's output variance that stays, mean over layers: (n,)."""
    starts = preview.layout.offsets[:-1]
    total = np.add.reduceat(energy, starts, axis=1)
    staying = np.add.reduceat(np.where(keep, energy, 0.0), starts, axis=1)
    return np.asarray((staying / np.maximum(total, 1e-30)).mean(axis=1))


def _blocks(networks: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(networks), _AT_ONCE):
        yield networks[start : start + _AT_ONCE]


def _lost_share(lost: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum(axis=1)
    return np.asarray(np.divide(lost.sum(axis=1), total, out=np.zeros(len(total)), where=total > 0))
