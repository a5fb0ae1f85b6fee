"""Order of networks: by energy, and among near ties by where their maps peak."""

import numpy as np
from numpy.typing import NDArray

#: Energies closer than the tolerance, a share of the larger, are a tie. It lies in the widest
#: empty stretch between these two, so that no gap is near it that a last bit could carry across.
LEAST_TIE, LARGEST_TIE = 1e-4, 1e-2


def energy_order(energy: NDArray[np.floating], maps: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return networks by energy, strongest first, in an order that rounding does not change.

    Neighbours whose energies differ by less than a tolerance are a tie; ties stand by the peak
    unit of their maps, the first layer's first.

    Parameters
    ----------
    energy : ndarray (K,)
    maps : ndarray (K, n_units)
    """
    by_energy = np.argsort(-energy, kind="stable")
    descending = energy[by_energy].astype(np.float64)
    above, below = descending[:-1], descending[1:]
    gaps = (above - below) / np.where(above > 0, above, 1.0)  # two silent networks are a tie
    group = np.concatenate([[0], np.cumsum(gaps >= tie_tolerance(gaps))])
    peak = np.abs(maps).argmax(axis=1)[by_energy]
    return np.asarray(by_energy[np.lexsort((peak, group))], dtype=np.int64)


def tie_tolerance(gaps: NDArray[np.floating]) -> float:
    """Return the middle of the widest empty stretch of relative gaps, on a logarithmic scale."""
    low, high = np.log(LEAST_TIE), np.log(LARGEST_TIE)
    inside = np.log(np.maximum(gaps, np.finfo(float).tiny))
    marks = np.sort(np.concatenate([[low, high], inside[(inside > low) & (inside < high)]]))
    widest = int(np.diff(marks).argmax())
    return float(np.exp((marks[widest] + marks[widest + 1]) / 2))
