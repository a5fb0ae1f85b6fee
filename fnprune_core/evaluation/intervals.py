"""Errors over documents and what follows from them: intervals by t, and their words.

Windows of one document resemble one another, so that only whole documents count as observations.
Documents of unequal length weigh unequally, which leaves fewer degrees of freedom than documents.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
#: Fewest documents of which an error is given, counted as documents of equal length.
MIN_DOCUMENTS = 5
#: How often an interval is to hold the true value.
LEVEL = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSample:
    """Documents as observations of a figure that is weighted by tokens.

    Parameters
    ----------
    n : int
        Number of documents.
    n_effective : float
        How many documents of equal length weigh as much: (Σ n_d)² / Σ n_d².
    freedom : float
        Degrees of freedom of the error; NaN where there is none: for under 5 effective documents.
    """

    n: int
    n_effective: float
    freedom: float

    @property
    def has_error(self) -> bool:
        """Whether these documents are enough for an error."""
        return math.isfinite(self.freedom)

    def factor(self, *, level: float = LEVEL) -> float:
        """Return how many standard errors an interval reaches to each side; NaN without one."""
        return float(stats.t.ppf(0.5 + level / 2, self.freedom)) if self.has_error else math.nan

    def interval(self, value: float, error: float, *, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of a figure by t; NaN without an error."""
        half = self.factor(level=level) * error
        return value - half, value + half

    def text(self) -> str:
        """Return the number of documents, and that they are too few where they are."""
        number = f"{self.n} document{'' if self.n == 1 else 's'}"
        if self.n_effective <= self.n - 0.5:
            number += f" that weigh like {self.n_effective:.1f} equal ones"
        return number if self.has_error else f"{number}, too few"

    def note(self) -> str:
        """Return what standard errors over these documents are good for, as half a sentence."""
        if not self.has_error:
            number = self.text().removesuffix(", too few")
            return f"documents, and {number} give no interval: it takes {MIN_DOCUMENTS} equal ones"
        return (
            f"{self.text()}; {100 * LEVEL:.0f} % intervals are ± {self.factor():.2f} standard "
            "errors"
        )


def document_sample(tokens: NDArray[np.integer], documents: NDArray[np.integer]) -> DocumentSample:
    """Return what the documents of some windows are good for as observations.

    The degrees of freedom of `ratio_error` are Satterthwaite's, where windows are alike and
    independent (Bell & McCaffrey 2002): with weights w_d = n_d / Σ n and b_d = w_d / (1 − w_d),
    (Σ b)² / (Σ b² + (Σ b²)² − Σ b⁴). Of n equal documents they are n − 1.

    Parameters
    ----------
    tokens, documents : ndarray (windows,)
        Number of predictions and document of each window.
    """
    _, counts = _by_document(tokens, documents)
    if not len(counts):
        return DocumentSample(n=0, n_effective=0.0, freedom=math.nan)
    n_effective = float(counts.sum() ** 2 / np.square(counts).sum())
    freedom = math.nan
    if n_effective >= MIN_DOCUMENTS - _ROUNDING:
        b = counts / (counts.sum() - counts)
        squares = np.square(b).sum()
        freedom = float(b.sum() ** 2 / (squares + squares**2 - np.power(b, 4).sum()))
    return DocumentSample(n=len(counts), n_effective=n_effective, freedom=freedom)


def ratio_error(
    values: Floats, tokens: NDArray[np.integer], documents: NDArray[np.integer]
) -> Floats:
    """Return the standard error of Σ values / Σ tokens over documents; NaN where there is none.

    By leaving out one document at a time (jackknife, CR3), which holds for documents of unequal
    length too.

    Parameters
    ----------
    values : ndarray (…, windows)
        Sum of each window.
    tokens, documents : ndarray (windows,)
        Number of predictions and document of each window.

    Returns
    -------
    ndarray (…)
    """
    if not document_sample(tokens, documents).has_error:
        return np.full(np.shape(values)[:-1], np.nan)
    document, counts = _by_document(tokens, documents)
    sums = np.asarray(values) @ (document[:, None] == np.arange(len(counts))).astype(np.float64)
    total = counts.sum()
    residual = sums - sums.sum(axis=-1, keepdims=True) / total * counts
    squares = np.square(residual / (total - counts)).sum(axis=-1)
    return np.asarray(np.sqrt((len(counts) - 1) / len(counts) * squares))


def _by_document(
    tokens: NDArray[np.integer], documents: NDArray[np.integer]
) -> tuple[NDArray[np.int64], Floats]:
    """Return the number of each window's document, from 0 on, and the tokens of each document."""
    _, document = np.unique(documents, return_inverse=True)
    return document.astype(np.int64), np.bincount(document, weights=tokens).astype(np.float64)


def with_error(value: float, error: float, *, digits: int, is_signed: bool = False) -> str:
    """Return a figure ± its standard error as text, or a figure that says it has none."""
    text = f"{value:{'+' if is_signed else ''}.{digits}f}"
    if not math.isfinite(value):
        return "not finite"
    return f"{text} ± {error:.{digits}f}" if math.isfinite(error) else f"{text} (no interval)"
