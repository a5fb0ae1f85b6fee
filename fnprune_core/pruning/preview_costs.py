"""What dropping each network would change in a plan, estimated from its preview."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.preview import Preview
from fnprune_core.scores.token_weights import ByEnergy
from fnprune_core.scores.units import Scores, score_named


def network_costs(preview: Preview, settings: PlanSettings) -> pd.DataFrame:
    """Return what dropping each network would change, one row a network.

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
    kept = set(preview.preserved(settings))
    costs = _Costs(preview, settings)
    table: dict[str, Any] = {
        "network": np.arange(costs.n),
        "preserved": [k in kept for k in range(costs.n)],
        **costs.tokens(kept),
    }
    if score_named(settings.score).uses_networks:
        units, energy = costs.swaps(kept)
    else:  # the score does not look at networks
        units, energy = np.zeros(costs.n), np.zeros(costs.n)
        for name in list(table)[2:]:
            table[name] = np.zeros(costs.n)
    return pd.DataFrame(table | {"units": units, "energy": energy})


class _Costs:
    def __init__(self, preview: Preview, settings: PlanSettings) -> None:
        self.preview, self.settings = preview, settings
        self.row, self.inputs = score_named(settings.score), preview.inputs(settings)
        self.n = preview.atlas.n_networks
        self.is_usable = ~preview.atlas.is_dummy

    def tokens(self, kept: set[int]) -> dict[str, NDArray[np.float64]]:
        """Return the share of the weight that stops counting, of all and of each domain."""
        # Networks that do not weigh tokens in the score are looked at as by network energy.
        weighting = self.row.weighting if self.row.weighting.of_networks else ByEnergy
        rule = self.inputs.weigher(weighting)
        toggled, now = rule.toggled(sorted(kept)), rule.of(sorted(kept))[None]
        is_kept = np.array([k in kept for k in range(self.n)])[:, None]
        whole = np.where(is_kept, now, toggled)
        lost = whole - np.where(is_kept, toggled, now)
        codes = self.preview.atlas.tokens["domain"].cat.codes.to_numpy()
        found = {"tokens": _share(lost, whole)}
        for d, name in enumerate(self.preview.atlas.domain_names):
            here = codes == d
            found[f"tokens: {name}"] = _share(lost[:, here], whole[:, here])
        return found

    def swaps(self, kept: set[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return units swapped, and energy lost on a network's own tokens: (K,) each."""
        preview = self.preview
        own = preview.own_energy
        stays = preview.keep(self.settings)
        units, energy = np.full(self.n, np.nan), np.full(self.n, np.nan)
        for k, scores in self._toggled_scores(kept).items():
            other = preview.layout.keep_of(preview.choose(scores, self.settings))
            with_it, without = (stays, other) if k in kept else (other, stays)
            units[k] = (with_it & ~without).sum()
            energy[k] = self._energy_share(own[k], with_it) - self._energy_share(own[k], without)
        return units, energy

    def _toggled_scores(self, kept: set[int]) -> dict[int, Scores]:
        """Return the scores after each network changes sides, where any would be preserved."""
        able = [k for k in range(self.n) if kept ^ {k}]
        if self.row.toggled is not None:
            every = self.row.toggled(self.inputs)
            return {k: every[k] for k in able}
        if self.row.weighting.of_networks:
            weights = self.inputs.weigher(self.row.weighting).toggled(sorted(kept))
            able = [k for k in able if weights[k].sum() > 0]
            return dict(zip(able, self.row.formula(self.inputs, weights[able]), strict=True))
        return {
            k: self.row.compute(replace(self.inputs, preserved=tuple(sorted(kept ^ {k}))))
            for k in able
        }

    def _energy_share(self, energy: Scores, keep: NDArray[np.bool_]) -> float:
        """Return the share of the layers' output variance that stays, their mean."""
        layout = self.preview.layout
        parts = zip(layout.split(energy), layout.split(keep), strict=True)
        return float(np.mean([part[stay].sum() / max(part.sum(), 1e-30) for part, stay in parts]))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    total = whole.sum(axis=1)
    return np.asarray(np.divide(part.sum(axis=1), total, out=np.zeros(len(total)), where=total > 0))
