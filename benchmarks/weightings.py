"""How much a token counts when only some networks are preserved: variants that were measured.

Each is a score of `purpose.py`, ``network-energy/<name>``: FLAP's score and the compensation over
tokens weighted so. All weights are 1 while every network is preserved. The one that won, relative
odds^8 over 64 tokens, is the library's score ``network-context``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.scores.inputs import ScoreInputs
from fnprune_core.scores.token_weights import mean_around

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """A rule from time courses to token weights.

    Parameters
    ----------
    is_relative : bool
        Each network's energy over its own mean, so that no network counts for being strong, and
        the mean over networks, so that many do not outvote few; else the sum of energies.
    radius : int
        Energies are averaged over so many tokens before and after, within the session.
    exponent : int
    is_odds : bool
        pᵍ / (pᵍ + dᵍ) of the preserved networks' energy p and the dropped ones' d; else the
        share p / (p + d) to the power.
    """

    is_relative: bool
    radius: int
    exponent: int
    is_odds: bool

    def __call__(self, inputs: ScoreInputs) -> Weights:
        """Return the weights of the recording's tokens, 0 for dummy tokens: (n_tokens,)."""
        atlas = inputs.network_atlas()
        kept = np.zeros(atlas.n_networks, dtype=bool)
        kept[list(inputs.preserved)] = True
        usable = (~atlas.is_dummy).astype(np.float64)
        if kept.all():
            return usable
        p, d = self._energy(atlas, kept), self._energy(atlas, ~kept)
        if not self.is_odds:
            return usable * _divided(p, p + d) ** self.exponent
        odds = _divided(d, p) ** self.exponent
        return usable / (1 + odds)

    def _energy(self, atlas: NetworkAtlas, chosen: NDArray[np.bool_]) -> Weights:
        squares = np.square(atlas.time_courses[chosen].astype(np.float64))
        if self.is_relative:
            squares /= squares[:, ~atlas.is_dummy].mean(axis=1, keepdims=True)
        energy = squares.mean(axis=0) if self.is_relative else squares.sum(axis=0)
        return energy if not self.radius else mean_around(atlas, energy, self.radius)


def _divided(a: Weights, b: Weights) -> Weights:
    return a / np.maximum(b, np.finfo(np.float64).tiny)


WEIGHTINGS: dict[str, Callable[[ScoreInputs], Weights]] = {
    "share^2": Weighting(is_relative=False, radius=0, exponent=2, is_odds=False),
    "share^4": Weighting(is_relative=False, radius=0, exponent=4, is_odds=False),
    "share^2, 16 tokens": Weighting(is_relative=False, radius=16, exponent=2, is_odds=False),
    "share^4, 16 tokens": Weighting(is_relative=False, radius=16, exponent=4, is_odds=False),
    "odds^4": Weighting(is_relative=True, radius=0, exponent=4, is_odds=True),
    "odds^4, 16 tokens": Weighting(is_relative=True, radius=16, exponent=4, is_odds=True),
}
