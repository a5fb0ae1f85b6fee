"""Thresholds from a map alone: shares of its units, and a Gaussian and two Gammas fitted to it.

None of them is a test: the fit takes the middle of a map for a Gaussian of units that take no
part, and units have heavier tails, of unequal noise. `chance.calibration` measures chance.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from fnprune_core.errors import SettingsError

_N_BINS = 600
_MAX_ITER = 500
_LEAST_SHARE = 1e-4
# Below 2 a Gamma is steepest at 0, where the null is: then every unit may count as active.
_LEAST_SHAPE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureFit:
    """A mixture of a Gaussian null and a Gamma on either side (Beckmann & Smith 2004).

    Parameters
    ----------
    null_share, positive_share, negative_share : float
        Mixing proportions; they sum to 1.
    mean, sd : float
        Of the Gaussian.
    positive, negative : tuple of float
        Shape and scale of the Gamma on z > 0, and of the one on −z > 0.
    converged : bool
    """

    null_share: float
    positive_share: float
    negative_share: float
    mean: float
    sd: float
    positive: tuple[float, float]
    negative: tuple[float, float]
    converged: bool

    def null_density(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the Gaussian's part of the density at z."""
        return self.null_share * _normal_density(
            np.asarray(z, dtype=np.float64), self.mean, self.sd
        )

    def active_density(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the Gammas' part of the density at z."""
        x = np.asarray(z, dtype=np.float64)
        up, down = _gamma_density(x, *self.positive), _gamma_density(-x, *self.negative)
        return self.positive_share * up + self.negative_share * down

    def density(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mixture's density at z."""
        return self.null_density(z) + self.active_density(z)

    def null_beyond(self, threshold: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return the share of all units that is null and has |z| above a threshold."""
        above = stats.norm.sf(threshold, self.mean, self.sd)
        below = stats.norm.cdf(-np.asarray(threshold), self.mean, self.sd)
        return np.asarray(self.null_share * (above + below), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A threshold on |z| with the number of units above it; NaN where none fits."""

    rule: str
    threshold: float
    n_units: int


# Written out: `scipy.stats` checks its arguments each time, which takes four times as long as the
# densities, and a fit asks for them a thousand times.
def _normal_density(x: NDArray[np.floating], mean: float, sd: float) -> NDArray[np.float64]:
    return np.asarray(
        np.exp(-np.square((x - mean) / sd) / 2) / (sd * np.sqrt(2 * np.pi)), dtype=np.float64
    )


def _gamma_density(x: NDArray[np.floating], shape: float, scale: float) -> NDArray[np.float64]:
    ratio = np.maximum(x / scale, 0)
    log_density = special.xlogy(shape - 1, ratio) - ratio - special.gammaln(shape)
    return np.where(x < 0, 0.0, np.exp(log_density) / scale)


def _gamma_by_moments(
    centres: NDArray[np.float64], weights: NDArray[np.float64], floor: float
) -> tuple[float, float]:
    """Return shape and scale of a Gamma with the weighted mean and variance."""
    total = weights.sum()
    if total <= 0:
        return 4.0, floor / 4.0
    mean = max(float(weights @ centres / total), floor)
    variance = max(float(weights @ np.square(centres - mean) / total), 1e-4)
    variance = min(variance, mean * mean / _LEAST_SHAPE)
    return mean * mean / variance, variance / mean


def fit_mixture(z: NDArray[np.floating]) -> MixtureFit:
    """Fit the mixture to a map's values by expectation–maximisation on a histogram.

    Parameters
    ----------
    z : ndarray (n,)
        A map over alive units.

    Raises
    ------
    SettingsError
        If there are under 50 finite values, or they do not vary.
    """
    values = np.asarray(z, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 50 or values.std() == 0:
        raise SettingsError(
            f"A mixture needs at least 50 values that vary, got {len(values)}.",
            hint="Fit it to a whole map, over alive units.",
        )
    bound = float(np.abs(values).max()) * 1.0001
    counts, edges = np.histogram(values, bins=_N_BINS, range=(-bound, bound))
    x = (edges[:-1] + edges[1:]) / 2
    share = counts / counts.sum()
    # Start: the null from the middle of the values, which the tails do not move.
    median = float(np.median(values))
    sd = max(float(np.median(np.abs(values - median))) * 1.4826, bound / _N_BINS)
    fit = MixtureFit(
        null_share=0.9,
        positive_share=0.05,
        negative_share=0.05,
        mean=median,
        sd=sd,
        positive=(4.0, sd),
        negative=(4.0, sd),
        converged=False,
    )
    previous = -np.inf
    for _ in range(_MAX_ITER):
        fit, likelihood = _em_step(fit, x, share)
        if abs(likelihood - previous) < 1e-9:
            return replace(fit, converged=True)
        previous = likelihood
    return fit


def _em_step(
    fit: MixtureFit, x: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[MixtureFit, float]:
    """Return the fit after one EM step, and the log-likelihood before it."""
    null = fit.null_density(x)
    up = fit.positive_share * _gamma_density(x, *fit.positive)
    down = fit.negative_share * _gamma_density(-x, *fit.negative)
    total = np.maximum(null + up + down, 1e-300)
    weights = [share * density / total for density in (null, up, down)]
    sums = np.maximum([weight.sum() for weight in weights], _LEAST_SHARE)
    sums = sums / sums.sum()
    mean = float(weights[0] @ x / weights[0].sum())
    sd = float(np.sqrt(weights[0] @ np.square(x - mean) / weights[0].sum()))
    # A Gamma whose mean fell inside the null would model the null's flank, not activation.
    floor = 1.5 * sd
    updated = MixtureFit(
        null_share=float(sums[0]),
        positive_share=float(sums[1]),
        negative_share=float(sums[2]),
        mean=mean,
        sd=sd,
        positive=_gamma_by_moments(x, weights[1], floor),
        negative=_gamma_by_moments(-x, weights[2], floor),
        converged=False,
    )
    return updated, float(share @ np.log(total))


def posterior_threshold(fit: MixtureFit, largest: float, *, probability: float = 0.5) -> float:
    """Return the least |z| from which a unit is more likely active than `probability`; or NaN."""
    grid = np.linspace(0, largest, 4000)
    active = fit.active_density(grid) + fit.active_density(-grid)
    total = fit.density(grid) + fit.density(-grid)
    above = active > probability * total
    if not above[-1]:
        return float("nan")
    below = np.flatnonzero(~above)
    return float(grid[below[-1] + 1]) if len(below) else 0.0


def gaussian_threshold(fit: MixtureFit, z: NDArray[np.floating], *, rate: float = 0.05) -> float:
    """Return the least |z| beyond which the Gaussian has at most `rate` of the units; or NaN.

    A rate of false discoveries only where units that take no part are Gaussian with equal noise.
    With a null of t(6) or unequal noise about a third of the units beyond it are null, with a
    Laplace null two thirds; and where nothing is active, hundreds or thousands of units are.
    """
    magnitude = np.sort(np.abs(z[np.isfinite(z)]).astype(np.float64))
    n_above = np.arange(len(magnitude), 0, -1)
    expected = fit.null_beyond(magnitude) * len(magnitude) / n_above
    passing = np.flatnonzero(expected <= rate)
    return float(magnitude[passing[0]]) if len(passing) else float("nan")


def suggested_thresholds(
    z: NDArray[np.floating], *, fit: MixtureFit | None = None
) -> list[Suggestion]:
    """Return thresholds on |z| for a map over alive units, with the units above each."""
    magnitude = np.abs(np.asarray(z, dtype=np.float64))
    mixture = fit or fit_mixture(z)
    rules = {
        "top 1 %": float(np.quantile(magnitude, 0.99)),
        "top 5 %": float(np.quantile(magnitude, 0.95)),
        "Gaussian part below 5 %": gaussian_threshold(mixture, np.asarray(z)),
        "more tail than Gaussian": posterior_threshold(mixture, float(magnitude.max())),
    }
    return [
        Suggestion(rule=rule, threshold=value, n_units=int((magnitude > value).sum()))
        for rule, value in rules.items()
    ]


# Where colours end -----------------------------------------------------------------------------

_STRONG = 0.98  # quantile, of what is beyond the threshold, that has the strongest colour
_STEP = 0.01  # of |z|, where it is counted


def colour_limit(z: NDArray[np.floating], threshold: float) -> float:
    """Return the |z| of the strongest colour: the 98th percentile of what is beyond a threshold."""
    magnitude = np.abs(z)
    members = magnitude[magnitude > threshold]
    strongest = float(np.quantile(members, _STRONG)) if members.size else 2 * threshold
    return _rounded_limit(strongest, threshold)


def _rounded_limit(strongest: float, threshold: float) -> float:
    """Return the end of a colour scale: whole, and well beyond the threshold."""
    return float(np.ceil(max(strongest, 1.5 * threshold)))


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """How many |z| of maps lie in each step of 0.01: a slider's `colour_limit` takes no time."""

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, maps: NDArray[np.floating]) -> "Magnitudes":
        """Return the counts of maps (K, n_units)."""
        counts = np.zeros(10_001, dtype=np.int64)
        for row in maps:
            steps = np.minimum(np.abs(row) / _STEP, len(counts) - 1).astype(np.int64)
            counts += np.bincount(steps, minlength=len(counts))
        return cls(counts)

    def colour_limit(self, threshold: float) -> float:
        """Return the `colour_limit` of all maps together, to a step."""
        above = np.cumsum(self.counts[int(threshold / _STEP) :])
        strongest = threshold + _STEP * float(np.searchsorted(above, _STRONG * above[-1]))
        return _rounded_limit(strongest, threshold)
