"""Carpet plots: units over tokens, each in standard deviations from its own mean.

Power (2017) draws voxels over scans like this, to see what all of them do at once.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fnprune_core.recording.recording import Recording


def spread_units(widths: tuple[int, ...], n: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return evenly spaced units, about `n` in all, as flat indices, and their layers."""
    per_layer = max(1, n // len(widths))
    offsets = np.concatenate([[0], np.cumsum(widths)])
    units_by_layer = [
        offsets[layer] + np.unique(np.linspace(0, width - 1, min(per_layer, width)).astype(int))
        for layer, width in enumerate(widths)
    ]
    layers = np.repeat(np.arange(len(widths)), [len(units) for units in units_by_layer])
    return np.concatenate(units_by_layer).astype(np.int64), layers.astype(np.int32)


def session_z(
    recording: Recording, session: int, units: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return units over a session, in deviations from their means: (n_units, n_tokens)."""
    scale = np.maximum(recording.std[units], 1e-12)
    signals = recording.session(session)[:, units]
    return np.ascontiguousarray(((signals - recording.mean[units]) / scale).T, dtype=np.float32)


def pooled_sessions(
    recording: Recording, units: NDArray[np.integer], bins: Sequence[tuple[int, int]]
) -> NDArray[np.float32]:
    """Return units over sessions, the mean of the tokens in each bin: (n_units, n_bins).

    Dummy tokens are left out: they would outshine the rest. A bin of them alone is 0.

    Parameters
    ----------
    bins : sequence of (int, int)
        Sessions in order, and how many bins each has.
    """
    means = []
    for session, n_bins in bins:
        is_dummy = recording.is_dummy[recording.session_slice(session)]
        values = np.where(is_dummy, np.nan, session_z(recording, session, units))
        means += [_mean(part) for part in np.array_split(values, n_bins, axis=1)]
    return np.stack(means, axis=1).astype(np.float32)


def _mean(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean over columns that are not NaN, 0 where all are: (rows,)."""
    total = np.nan_to_num(values).sum(axis=1)
    return np.asarray(total / np.maximum((~np.isnan(values)).sum(axis=1), 1), dtype=np.float32)
