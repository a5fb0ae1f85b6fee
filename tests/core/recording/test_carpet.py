"""Carpets: units of every layer, in deviations from their means, dummies left out of pools."""

import numpy as np
from drawings import WIDTHS

from fnprune_core.recording.carpet import pooled_sessions, session_z, spread_units


def test_carpet_rows_span_every_layer() -> None:
    units, layers = spread_units(WIDTHS, 30)
    assert np.bincount(layers).tolist() == [10, 10, 10]
    offsets = np.concatenate([[0], np.cumsum(WIDTHS)])
    assert ((units >= offsets[layers]) & (units < offsets[layers + 1])).all()


def test_a_carpet_is_in_deviations_of_each_unit(recording) -> None:
    units = np.array([0, 3, 17])
    sessions = [session_z(recording, s, units) for s in range(recording.n_sessions)]
    usable = np.concatenate(sessions, axis=1)[:, ~recording.is_dummy]
    np.testing.assert_allclose(usable.mean(axis=1), 0, atol=0.02)
    np.testing.assert_allclose(usable.std(axis=1), 1, rtol=0.02)


def test_pools_leave_dummies_out(recording) -> None:
    units = np.array([0, 3, 17])
    values = session_z(recording, 0, units)
    is_dummy = recording.is_dummy[recording.session_slice(0)]
    pooled = pooled_sessions(recording, units, [(0, 1)])
    assert is_dummy.any()
    np.testing.assert_allclose(pooled[:, 0], values[:, ~is_dummy].mean(axis=1), rtol=1e-4)
