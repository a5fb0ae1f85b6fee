"""What it costs a layer's output to lose its units one by one, the others refitted each time."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

#: Added to a layer's Gram matrix, as a share of its mean diagonal (as SparseGPT and ZipLM do).
DAMPING = 0.01
_UNITS_BETWEEN_COMPACTIONS = 64


def damped(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Gram matrix with `DAMPING` of its mean diagonal added: (units, units)."""
    mean_energy = max(float(np.diag(gram).mean()), np.finfo(np.float64).tiny)
    return gram + DAMPING * mean_energy * np.eye(len(gram))


def removal_errors(weight: NDArray[np.float64], gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the layer's squared output error once each unit is gone: (units,), in order of going.

    The unit goes next whose loss is least, ‖W[:, j]‖² / [H⁻¹]_jj with the damped Gram matrix H
    of the units that are left, and the columns that stay take its part over (optimal brain
    surgeon, Hassibi & Stork 1992; for the columns of a layer ZipLM, arXiv 2302.04089). A unit's
    number is the error of all that went until then, itself included: those that go late have
    more, and numbers of one layer are in the same unit as another's.

    Parameters
    ----------
    weight : ndarray (hidden, units)
    gram : ndarray (units, units)
        Σ_t x_t x_tᵀ over tokens.

    Notes
    -----
    Cost: O(units³), in float64.
    """
    n_units = weight.shape[1]
    inverse = cho_solve(cho_factor(damped(gram)), np.eye(n_units))
    columns, units = weight.astype(np.float64).copy(), np.arange(n_units)
    errors, error = np.empty(n_units), 0.0
    is_left = np.ones(n_units, dtype=bool)  # of those since the last compaction
    for step in range(n_units):
        if step and step % _UNITS_BETWEEN_COMPACTIONS == 0:
            columns, inverse = columns[:, is_left], inverse[np.ix_(is_left, is_left)]
            units, is_left = units[is_left], np.ones(int(is_left.sum()), dtype=bool)
        losses = np.einsum("hu,hu->u", columns, columns) / np.diag(inverse)
        losses[~is_left] = np.inf
        j = int(losses.argmin())
        error += float(losses[j])
        errors[units[j]] = error
        is_left[j] = False
        part = inverse[j] / inverse[j, j]
        columns -= np.outer(columns[:, j], part)
        inverse -= np.outer(inverse[:, j], part)
        inverse[j, j] = 1.0  # it is left out; rounding must not divide by zero
    return errors
