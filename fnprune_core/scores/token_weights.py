"""Rules of how much each token counts in a score.

A rule answers for any choice of networks, and for every change of one network at once, which is
what a preview asks. Weights are (n_tokens,), between 0 and 1; 0 for dummy tokens, which a score's
row counts or leaves out, and 1 for all others while every network is preserved.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas

CONTEXT = 64  # tokens before and after that say what a passage is about
SHARPNESS = 8  # how nearly a passage counts wholly or not at all

Weights = NDArray[np.float64]


class TokenWeights(Protocol):
    """Rule of how much each token counts, made for given tokens."""

    #: Whether the rule looks at networks: it is then made from an atlas.
    of_networks: ClassVar[bool]

    def __init__(self, tokens: Any) -> None: ...

    def of(self, preserved: Sequence[int]) -> Weights:
        """Return the weights under a choice of networks: (n_tokens,)."""

    def toggled(self, preserved: Sequence[int]) -> Weights:
        """Return the weights after each network changes sides: (K, n_tokens)."""


class UsableTokens:
    """Weights of 1 for every token and 0 for dummy tokens.

    Parameters
    ----------
    tokens : object
        With `is_dummy`, (n_tokens,): a recording, an atlas, or the inputs of a score.
    """

    of_networks: ClassVar[bool] = False

    def __init__(self, tokens: Any) -> None:
        self._weights = (~np.asarray(tokens.is_dummy)).astype(np.float64)

    def of(self, preserved: Sequence[int]) -> Weights:
        """Return the weights, whatever networks are preserved: (n_tokens,)."""
        return self._weights

    def toggled(self, preserved: Sequence[int]) -> Weights:
        """Return the weights as one row, for no network changes them: (1, n_tokens)."""
        return self._weights[None]


class ByEnergy:
    """Weights w_t = (Σ_{k∈P} s_kt² / Σ_k s_kt²)², the preserved networks' share of energy squared.

    Where no network is active a token counts fully, whatever is dropped.
    """

    of_networks: ClassVar[bool] = True

    def __init__(self, tokens: NetworkAtlas) -> None:
        self._squares = np.square(tokens.time_courses.astype(np.float64))
        self._total = self._squares.sum(axis=0)
        self._usable = (~tokens.is_dummy).astype(np.float64)

    def of(self, preserved: Sequence[int]) -> Weights:
        """Return the weights under a choice of networks: (n_tokens,)."""
        if len(set(preserved)) == len(self._squares):
            return self._usable.copy()
        return self._weights(self._squares[sorted(set(preserved))].sum(axis=0))

    def toggled(self, preserved: Sequence[int]) -> Weights:
        """Return the weights after each network changes sides: (K, n_tokens)."""
        kept_energy = self._squares[sorted(set(preserved))].sum(axis=0)
        toggled = kept_energy + _signs(preserved, len(self._squares)) * self._squares
        # Where nothing is left, rounding must not leave a little.
        return self._weights(np.where(toggled < 1e-9 * self._total, 0.0, toggled))

    def _weights(self, kept_energy: Weights) -> Weights:
        share = np.divide(
            kept_energy, self._total, out=np.ones_like(kept_energy), where=self._total > 0
        )
        return np.asarray(self._usable * np.square(share))


class ByPassage:
    """Weights w_t = p_t⁸ / (p_t⁸ + d_t⁸), by the networks that rule the passage around a token.

    p and d are how active the preserved and the dropped networks are, s_kt² over its own mean,
    averaged over each side's networks and over `CONTEXT` tokens before and after in the session.
    So neither strong networks nor the larger number of them decide, and a passage counts or does
    not.
    """

    of_networks: ClassVar[bool] = True

    def __init__(self, tokens: NetworkAtlas) -> None:
        squares = np.square(tokens.time_courses.astype(np.float64))
        mean_square = squares[:, ~tokens.is_dummy].mean(axis=1, keepdims=True)
        relative = np.divide(
            squares, mean_square, out=np.zeros_like(squares), where=mean_square > 0
        )
        self._activity = mean_around(tokens, relative, CONTEXT)
        self._usable = (~tokens.is_dummy).astype(np.float64)

    def of(self, preserved: Sequence[int]) -> Weights:
        """Return the weights under a choice of networks: (n_tokens,)."""
        kept = np.zeros(len(self._activity), dtype=bool)
        kept[list(preserved)] = True
        sums = [self._activity[side].sum(axis=0) for side in (kept, ~kept)]
        return self._weights(*sums, n_kept=float(kept.sum()))

    def toggled(self, preserved: Sequence[int]) -> Weights:
        """Return the weights after each network changes sides: (K, n_tokens)."""
        sign = _signs(preserved, len(self._activity))
        activity = self._activity.sum(axis=0)
        kept_activity = self._activity[sorted(set(preserved))].sum(axis=0) + sign * self._activity
        return self._weights(
            kept_activity, activity - kept_activity, n_kept=len(set(preserved)) + sign
        )

    def _weights(
        self, kept_activity: Weights, dropped_activity: Weights, *, n_kept: Weights | float
    ) -> Weights:
        n_dropped = len(self._activity) - n_kept
        p, d = (
            np.where(n > 0, np.maximum(total, 0) / np.maximum(n, 1), 0.0)
            for total, n in ((kept_activity, n_kept), (dropped_activity, n_dropped))
        )
        odds = np.divide(d, p, out=np.where(d > 0, np.inf, 0.0), where=p > 0)
        with np.errstate(over="ignore"):  # infinite odds are a weight of 0
            return np.asarray(self._usable / (1 + odds**SHARPNESS))


def _signs(preserved: Sequence[int], n_networks: int) -> Weights:
    """Return −1 for networks that would leave, 1 for those that would come: (K, 1)."""
    kept = set(preserved)
    return np.array([[-1.0] if k in kept else [1.0] for k in range(n_networks)])


def mean_around(atlas: NetworkAtlas, values: Weights, radius: int) -> Weights:
    """Return each token's mean over the usable tokens around it; dummy tokens keep their value.

    Parameters
    ----------
    values : ndarray (…, n_tokens)
    """
    result = values.copy()
    session_of_token = atlas.tokens["session"].to_numpy()
    for session in np.unique(session_of_token):
        positions = np.flatnonzero((session_of_token == session) & ~atlas.is_dummy)
        zero = np.zeros((*values.shape[:-1], 1))
        sums = np.concatenate([zero, np.cumsum(values[..., positions], axis=-1)], axis=-1)
        index = np.arange(len(positions))
        start = np.maximum(index - radius, 0)
        stop = np.minimum(index + radius + 1, len(positions))
        result[..., positions] = (sums[..., stop] - sums[..., start]) / (stop - start)
    return result
