"""Errors over documents and what follows from them: intervals by t, and their words."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

#: Fewest documents of which an error is given: a spread of fewer says next to nothing.
MIN_DOCUMENTS = 5
#: How often an interval is to hold the true value.
LEVEL = 0.95


def ratio_error(
    values: NDArray[np.float64], tokens: NDArray[np.int64], documents: NDArray[np.int64]
) -> float:
    """Return the standard error of Σ values / Σ tokens over documents; NaN for under 5.

    Windows of one document resemble one another, so that only whole documents count as
    observations (delta method for a ratio of sums).

    Parameters
    ----------
    values, tokens, documents : ndarray (windows,)
        Sum, number of predictions and document of each window.
    """
    _, document = np.unique(documents, return_inverse=True)
    n = int(document.max()) + 1 if len(document) else 0
    if n < MIN_DOCUMENTS:
        return float("nan")
    sums = np.bincount(document, weights=values, minlength=n)
    counts = np.bincount(document, weights=tokens, minlength=n)
    residual = sums - values.sum() / tokens.sum() * counts
    return float(np.sqrt(n / (n - 1) * np.square(residual).sum()) / tokens.sum())


def t_interval(
    value: float, error: float, n_documents: int, *, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of a mean by t of one less than the documents; NaN without an error."""
    if not math.isfinite(error) or n_documents < 2:
        return float("nan"), float("nan")
    half = t_factor(n_documents, level=level) * error
    return value - half, value + half


def t_factor(n_documents: int, *, level: float = LEVEL) -> float:
    """Return how many standard errors an interval reaches to each side."""
    return float(stats.t.ppf(0.5 + level / 2, n_documents - 1))


def with_error(value: float, error: float, *, digits: int, is_signed: bool = False) -> str:
    """Return a figure ± its standard error as text, or a figure that says it has none."""
    text = f"{value:{'+' if is_signed else ''}.{digits}f}"
    if not math.isfinite(value):
        return "not finite"
    return f"{text} ± {error:.{digits}f}" if math.isfinite(error) else f"{text} (no interval)"


def documents_text(n_documents: int) -> str:
    """Return a number of documents, and that they are too few where they are."""
    number = f"{n_documents} document{'' if n_documents == 1 else 's'}"
    return number if n_documents >= MIN_DOCUMENTS else f"{number}, too few"


def error_note(n_documents: int) -> str:
    """Return what standard errors over so many documents are good for, as half a sentence."""
    if n_documents < MIN_DOCUMENTS:
        return f"documents, and {n_documents} of them give no interval: it takes {MIN_DOCUMENTS}"
    reach = t_factor(n_documents)
    return (
        f"{n_documents} documents; {100 * LEVEL:.0f} % intervals are ± {reach:.2f} standard errors"
    )
