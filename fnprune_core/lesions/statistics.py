"""Tests of whether a lesion does more harm than matched random ones: two for every effect.

Does it stand out from random lesions (a moderated t, Smyth 2004), and does it hold over the texts
(a paired t over documents or templates)? An effect counts if both say so: its
p is the larger of the two (Berger 1982), corrected over all effects of a table (Benjamini and
Hochberg 1995). Functions of arrays; L lesions, R random ones for each, W windows, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import digamma, polygamma

from fnprune_core.evaluation.intervals import DocumentSample, document_sample, ratio_error

Floats = NDArray[np.float64]
_LEAST_VARIANCE = 1e-24  # nats²: of random lesions that change nothing at all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """Windows that were read: their tokens, columns and units of resampling.

    Parameters
    ----------
    tokens : ndarray (W,)
        Predictions of each window.
    column : ndarray (W,)
        The domain or condition of each window.
    unit : ndarray (W,)
        What is resampled: the document or template of each window.
    n_columns : int
    """

    tokens: NDArray[np.int64]
    column: NDArray[np.int64]
    unit: NDArray[np.int64]
    n_columns: int

    def samples(self) -> tuple[DocumentSample, ...]:
        """Return the units of resampling of each column, as observations."""
        in_columns = (self.column == c for c in range(self.n_columns))
        return tuple(document_sample(self.tokens[each], self.unit[each]) for each in in_columns)

    def columns_without_error(self) -> tuple[int, ...]:
        """Return the columns that have too few units of resampling for an error."""
        return tuple(c for c, sample in enumerate(self.samples()) if not sample.has_error)

    def means(self, change: Floats) -> Floats:
        """Return nats per token by column from sums by window: (…, W) → (…, C)."""
        indicator = (self.column[:, None] == np.arange(self.n_columns)).astype(np.float64)
        return np.asarray((change @ indicator) / (self.tokens @ indicator))

    def errors(self, change: Floats) -> Floats:
        """Return the standard error of `means` over units of resampling: (…, C).

        NaN in a column with too few of them, as `ratio_error`.
        """
        in_columns = (self.column == c for c in range(self.n_columns))
        return np.stack(
            [
                ratio_error(change[..., each], self.tokens[each], self.unit[each])
                for each in in_columns
            ],
            axis=-1,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """Effects of any shape, with their errors and p values.

    Parameters
    ----------
    excess : ndarray
        The lesion's change less the mean of its random lesions', nats per token.
    text_error : ndarray
        Its standard error over the texts, the random lesions being given.
    lesion_error : ndarray
        Its standard error over random lesions, their spread moderated.
    p_texts, p_lesions, p, q : ndarray
        Two-sided; p is the larger, q is corrected over all. NaN where a question cannot be put.
    """

    excess: Floats
    text_error: Floats
    lesion_error: Floats
    p_texts: Floats
    p_lesions: Floats
    p: Floats
    q: Floats

    def reshaped(self, shape: tuple[int, ...]) -> "Tested":
        """Return the same effects with fields of another shape."""
        values = {field.name: getattr(self, field.name).reshape(shape) for field in fields(self)}
        return Tested(**values)


def tested(
    excess: Floats,
    random: Floats,
    text_error: Floats,
    *,
    text_freedom: Floats,
    trend: Floats,
    n_lesions: int,
) -> Tested:
    """Return each effect with the answers to both questions.

    Parameters
    ----------
    excess, text_error, text_freedom : ndarray (E,)
        One value an effect; degrees of freedom of the text's error.
    random : ndarray (R, E)
        The same quantity of each random lesion; NaN where not yet measured.
    trend : ndarray (E, P)
        What the spread of random lesions may depend on: their size, the column.
    n_lesions : int
        Lesions whose random ones were read; columns of one lesion are no lesions of their own.
    """
    n_random = np.isfinite(random).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = random - np.nansum(random, axis=0) / np.maximum(n_random, 1)
        variance = np.nansum(np.square(centred), axis=0) / (n_random - 1)
        moderated_variance, freedom = moderated(variance, n_random - 1, trend)
        freedom = np.minimum(freedom, most_freedom(n_random, n_lesions))
        lesion_error = np.sqrt(moderated_variance * (1 + 1 / n_random))
        p_lesions = 2 * stats.t.sf(np.abs(excess) / lesion_error, freedom)
        p_texts = np.asarray(2 * stats.t.sf(np.abs(excess) / text_error, text_freedom))
    is_testable = (n_random > 1) & np.isfinite(text_error)
    p = np.where(is_testable, np.maximum(p_lesions, p_texts), np.nan)
    return Tested(
        excess=excess,
        text_error=text_error,
        lesion_error=np.where(n_random > 1, lesion_error, np.nan),
        p_texts=p_texts,
        p_lesions=np.where(n_random > 1, p_lesions, np.nan),
        p=p,
        q=false_discovery(p),
    )


def most_freedom(n_random: NDArray[np.integer], n_lesions: int) -> NDArray[np.integer]:
    """Return the most degrees of freedom that random lesions give the error of an effect.

    Those of their spreads, less one lesion's for the trend over lesions; where that is less, the
    number of random lesions of an effect. Effects in several columns have their random lesions in
    common, so that more columns are no more freedom.
    """
    return np.asarray(np.maximum(n_random, (n_lesions - 1) * (n_random - 1)))


def moderated(
    variance: Floats, freedom: NDArray[np.integer], trend: Floats
) -> tuple[Floats, Floats]:
    """Return variances drawn towards what all of them have in common, and their freedom.

    Empirical Bayes after Smyth (2004, Statistical Applications in Genetics 3:3), with a prior that
    follows `trend` as in limma: log s² regressed on it, the scatter that is left beyond that of
    χ² giving the prior's degrees of freedom.

    Parameters
    ----------
    variance, freedom : ndarray (E,)
        Those with freedom below 1 take no part, and come back NaN.
    trend : ndarray (E, P)
        Without a constant.
    """
    usable = (freedom > 0) & np.isfinite(variance)
    moderated_variance, total_freedom = (
        np.full(len(variance), np.nan),
        np.asarray(freedom, dtype=np.float64).copy(),
    )
    if not usable.any():
        return moderated_variance, total_freedom
    s2, d = np.maximum(variance[usable], _LEAST_VARIANCE), total_freedom[usable]
    design = np.column_stack([np.ones(len(s2)), trend[usable].astype(np.float64)])
    rank = int(np.linalg.matrix_rank(design))
    if len(s2) - rank < max(3, rank):  # too few to know how they scatter about a trend
        design, rank = design[:, :1], 1
    excess = np.log(s2) - digamma(d / 2) + np.log(d / 2)
    fitted = design @ np.linalg.lstsq(design, excess, rcond=None)[0]
    if len(s2) <= rank:
        moderated_variance[usable] = s2
        return moderated_variance, total_freedom
    scatter = np.square(excess - fitted).sum() / (len(s2) - rank) - polygamma(1, d / 2).mean()
    prior_freedom = 2 * _inverse_trigamma(scatter) if scatter > 0 else np.inf
    if np.isinf(prior_freedom):
        moderated_variance[usable] = np.exp(fitted)
    else:
        prior = np.exp(fitted + digamma(prior_freedom / 2) - np.log(prior_freedom / 2))
        moderated_variance[usable] = (prior_freedom * prior + d * s2) / (prior_freedom + d)
    # No effect is known better than from all random lesions together.
    total_freedom[usable] = np.minimum(d + prior_freedom, d.sum())
    return moderated_variance, total_freedom


def _inverse_trigamma(value: float) -> float:
    """Return y with trigamma(y) = value, by Newton's method on 1 / trigamma (Smyth 2004)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if abs(step / y) < 1e-10:
            break
    return y


def false_discovery(p: Floats) -> Floats:
    """Return q: p corrected for the rate of false discoveries among all finite ones."""
    q, is_finite = np.full(p.shape, np.nan), np.isfinite(p)
    if is_finite.any():
        q[is_finite] = stats.false_discovery_control(p[is_finite])
    return q


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleDissociation:
    """Two lesions and two columns: the first harms `a` rather than `b`, the second the reverse.

    Parameters
    ----------
    first, second : int
        Rows of the table of effects.
    a, b : int
        Columns.
    contrast : tuple of float
        Excess in the column that is harmed less excess in the other, of each lesion.
    error : tuple of float
        The larger of the two standard errors of each contrast.
    q : float
        The larger of the two.
    """

    first: int
    second: int
    a: int
    b: int
    contrast: tuple[float, float]
    error: tuple[float, float]
    q: float


def double_dissociations(
    contrasts: Tested,
    effects: Tested,
    pairs: Sequence[tuple[int, int]],
    *,
    level: float,
) -> list[DoubleDissociation]:
    """Return the double dissociations, the clearest of each pair of columns first.

    A lesion counts for a pair if its contrast is significant, and so is its excess in the column
    that it harms: being spared less is no harm. Each also harms its own column more than the
    other lesion does.

    Parameters
    ----------
    contrasts : Tested (L, pairs)
    effects : Tested (L, C)
    """
    dissociations = []
    for j, (a, b) in enumerate(pairs):
        is_significant = contrasts.q[:, j] <= level
        harms = [(effects.q[:, c] <= level) & (effects.excess[:, c] > 0) for c in (a, b)]
        for first in np.flatnonzero(is_significant & (contrasts.excess[:, j] > 0) & harms[0]):
            for second in np.flatnonzero(is_significant & (contrasts.excess[:, j] < 0) & harms[1]):
                excess_a, excess_b = (
                    effects.excess[[first, second], a],
                    effects.excess[[first, second], b],
                )
                if excess_a[0] > excess_a[1] and excess_b[1] > excess_b[0]:
                    rows = [int(first), int(second)]
                    error = np.fmax(contrasts.text_error, contrasts.lesion_error)[rows, j]
                    dissociations.append(
                        DoubleDissociation(
                            first=rows[0],
                            second=rows[1],
                            a=a,
                            b=b,
                            contrast=(
                                float(contrasts.excess[first, j]),
                                float(-contrasts.excess[second, j]),
                            ),
                            error=(float(error[0]), float(error[1])),
                            q=float(contrasts.q[rows, j].max()),
                        )
                    )
    return sorted(dissociations, key=lambda dissociation: -min(dissociation.contrast))
