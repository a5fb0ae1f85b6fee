"""The general linear model of a block design, in two levels, without a haemodynamic response.

First level: a time course is regressed on one boxcar for each block, and on covariates of each
token. Second level: the blocks' effects are compared between conditions over templates, which are
the unit of resampling; tokens never are. nilearn makes the design matrix and fits it.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fnprune_core.errors import SettingsError
from fnprune_core.localizers.stimuli import Block, Localizer

#: q below which a network or a unit is said to respond.
LEVEL = 0.05
# Far below any effect that counts: a difference that does not vary at all has no t.
_LEAST_ERROR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """The difference between two sides of a contrast, for each of n networks or units.

    Parameters
    ----------
    effect : ndarray (n,)
        Mean over templates.
    standard_error : ndarray (n,)
        Over templates.
    df : ndarray (n,)
        Degrees of freedom: templates − 1 where paired, Welch–Satterthwaite where not.
    effect_size : ndarray (n,)
        Hedges' g: the effect over its standard deviation between templates, corrected for their
        number.
    t, p, q : ndarray (n,)
        Two-sided; q after Benjamini & Hochberg over all n that vary. 0, 1 and 1 where not.
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    df: NDArray[np.float64]
    effect_size: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]

    def interval(self, *, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both ends of the confidence interval of each effect."""
        half = stats.t.ppf(0.5 + level / 2, self.df) * self.standard_error
        return self.effect - half, self.effect + half

    def threshold(self, *, q: float = LEVEL) -> float:
        """Return the smallest |t| at which q is reached; infinite if nowhere."""
        reached = np.abs(self.t[self.q < q])
        return float(reached.min()) if len(reached) else float("inf")


def design_matrix(
    block_of_token: NDArray[np.integer], covariates: Mapping[str, NDArray[np.floating]]
) -> pd.DataFrame:
    """Return nilearn's design of the tokens that count: a boxcar a block, then the covariates.

    There is no constant: the boxcars add up to it. Covariates are centred, so that a block's
    effect is its mean at average covariates.

    Parameters
    ----------
    block_of_token : ndarray (n_tokens,)
        0, 1, …, each block in one stretch.
    covariates : mapping
        Name → value at each token.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix  # slow to import

    numbers, first_token, counts = np.unique(block_of_token, return_index=True, return_counts=True)
    if np.any(np.diff(block_of_token) < 0) or numbers[-1] != len(numbers) - 1:
        raise SettingsError("Tokens must be in the order of their blocks, each with some.")
    names = [f"block {number}" for number in numbers]
    # Half a token early: at the edge itself, nilearn's finer grid may miss the first token.
    events = pd.DataFrame(
        {"onset": first_token - 0.5, "duration": counts.astype(float), "trial_type": names}
    )
    values = np.column_stack([np.asarray(value, dtype=float) for value in covariates.values()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that boxcars and constant are collinear
        nilearn_design = make_first_level_design_matrix(
            np.arange(len(block_of_token), dtype=float),
            events,
            hrf_model=None,
            drift_model=None,
            add_regs=values - values.mean(axis=0),
            add_reg_names=list(covariates),
        )
    design = pd.DataFrame(nilearn_design[[*names, *covariates]])
    design[names] = design[names].round()  # nilearn resamples boxcars with an error of 1e-14
    return design


def first_level(design: pd.DataFrame, signals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the least-squares weights of the design's columns, by nilearn: (columns, n).

    Parameters
    ----------
    signals : ndarray (n_tokens, n)
    """
    from nilearn.glm.first_level import run_glm

    labels, results = run_glm(
        np.asarray(signals, dtype=np.float64), design.to_numpy(), noise_model="ols"
    )
    theta = np.zeros((design.shape[1], signals.shape[1]))
    for label, result in results.items():
        theta[:, labels == label] = result.theta
    return theta


class Sums:
    """First-level weights of signals that come block by block and are not kept."""

    def __init__(self, design: pd.DataFrame, n: int) -> None:
        self._design = design.to_numpy(dtype=np.float64)
        self._products = np.zeros((self._design.shape[1], n))

    def add(self, tokens: slice, signals: NDArray[np.floating]) -> None:
        """Add the signals (tokens, n) of some rows of the design."""
        rows = self._design[tokens].astype(np.float32)
        self._products += rows.T @ np.asarray(signals, dtype=np.float32)

    def solve(self) -> NDArray[np.float64]:
        """Return the weights of all columns: (columns, n)."""
        gram = self._design.T @ self._design
        return np.asarray(np.linalg.pinv(gram, hermitian=True) @ self._products)


def template_effects(
    localizer: Localizer, blocks: Sequence[Block], effects: NDArray[np.floating]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the templates of a paired localizer, and the contrast in each: (templates, n).

    Parameters
    ----------
    effects : ndarray (n_blocks, n)
    """
    if not localizer.is_paired:
        raise SettingsError("The conditions have no templates in common.")
    row_of = {(block.condition, block.template): i for i, block in enumerate(blocks)}
    names = localizer.templates(localizer.positive[0])

    def side_mean(conditions: Sequence[str]) -> NDArray[np.float64]:
        rows = [[row_of[condition, name] for name in names] for condition in conditions]
        side_effects = np.asarray(effects, dtype=np.float64)[np.array(rows)]
        return np.asarray(side_effects.mean(axis=0))

    return names, side_mean(localizer.positive) - side_mean(localizer.negative)


def second_level(
    localizer: Localizer, blocks: Sequence[Block], effects: NDArray[np.floating]
) -> Contrast:
    """Return the contrast of the blocks' effects, with templates as observations.

    Paired where every template has items in every condition, by nilearn's model of a mean;
    otherwise after Welch, since variances need not be alike.

    Parameters
    ----------
    effects : ndarray (n_blocks, n)
    """
    if localizer.is_paired:
        _, differences = template_effects(localizer, blocks, effects)
        return _paired_contrast(differences)
    return _welch_contrast(localizer, blocks, np.asarray(effects, dtype=np.float64))


def _paired_contrast(differences: NDArray[np.float64]) -> Contrast:
    from nilearn.glm.contrasts import compute_contrast
    from nilearn.glm.first_level import run_glm

    n_templates = len(differences)
    with np.errstate(divide="ignore"):  # what does not vary at all has no t, see `_contrast_of`
        labels, fitted = run_glm(differences, np.ones((n_templates, 1)), noise_model="ols")
        contrast = compute_contrast(labels, fitted, np.ones(1), stat_type="t")
    error = np.sqrt(np.asarray(contrast.effect_variance()).ravel())
    effect = np.asarray(contrast.effect_size()).ravel()
    return _contrast_of(
        effect,
        error,
        df=np.full(len(effect), n_templates - 1.0),
        spread=error * np.sqrt(n_templates),
    )


def _welch_contrast(
    localizer: Localizer, blocks: Sequence[Block], effects: NDArray[np.float64]
) -> Contrast:
    conditions = np.array([block.condition for block in blocks])
    effect = np.zeros(effects.shape[1])
    variance, welch_sum, spread = (
        np.zeros_like(effect),
        np.zeros_like(effect),
        np.zeros_like(effect),
    )
    for sign, side in ((1.0, localizer.positive), (-1.0, localizer.negative)):
        for condition in side:
            condition_effects = effects[conditions == condition]
            weight, condition_variance = 1 / len(side), condition_effects.var(axis=0, ddof=1)
            mean_variance = weight**2 * condition_variance / len(condition_effects)
            effect += sign * weight * condition_effects.mean(axis=0)
            variance += mean_variance
            welch_sum += mean_variance**2 / (len(condition_effects) - 1)
            spread += condition_variance / len(localizer.conditions)
    df = np.divide(variance**2, welch_sum, out=np.ones_like(effect), where=welch_sum > 0)
    return _contrast_of(effect, np.sqrt(variance), df=df, spread=np.sqrt(spread))


def _contrast_of(
    effect: NDArray[np.float64],
    error: NDArray[np.float64],
    *,
    df: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> Contrast:
    varies = error > _LEAST_ERROR
    safe_error = np.where(varies, error, 1.0)
    t = np.where(varies, effect / safe_error, 0.0)
    p = np.where(varies, 2 * stats.t.sf(np.abs(t), df), 1.0)
    q = np.ones_like(p)
    if varies.any():
        q[varies] = stats.false_discovery_control(p[varies])
    correction = 1 - 3 / (4 * df - 1)
    size = np.where(varies, effect / np.where(varies, spread, 1.0) * correction, 0.0)
    return Contrast(
        effect=effect,
        standard_error=error,
        df=df,
        effect_size=size,
        t=t,
        p=p,
        q=q,
    )
