import numpy as np
import torch
from planted import planted

from fnprune_core.recording.sessions import ArraySessions
from fnprune_core.recording.shifted import ShiftedSessions
from fnprune_core.reliability.nulls import gaussian_space
from fnprune_core.reliability.resampling import Space


def test_shift_keeps_each_units_values_and_destroys_covariance() -> None:
    signals = planted(n_sessions=2, n_units=200, n_tokens=400, noise=0.3).signals
    sessions = ArraySessions(signals)
    sessions.is_dummy[:3] = True
    shifted = ShiftedSessions(sessions, seed=1)
    for i in range(2):
        before, after = sessions.session(i), shifted.session(i)
        np.testing.assert_array_equal(np.sort(after, axis=0), np.sort(before, axis=0))
        assert not np.array_equal(after, before)
        # A circular shift keeps each unit's autocorrelation.
        usable = slice(3, None) if i == 0 else slice(None)
        spectra = [np.abs(np.fft.rfft(x[usable], axis=0)) for x in (before, after)]
        np.testing.assert_allclose(spectra[0], spectra[1], atol=0.02)
    np.testing.assert_array_equal(shifted.session(0)[:3], sessions.session(0)[:3])
    np.testing.assert_array_equal(shifted.session(1), shifted.session(1))

    def strength(x: np.ndarray) -> float:
        r = np.corrcoef(x.T)
        return float(np.abs(r[~np.eye(len(r), dtype=bool)]).mean())

    assert strength(shifted.session(1)) < 0.3 * strength(sessions.session(1))


def test_gaussian_null_keeps_the_covariance_and_has_no_tails(real) -> None:
    pool = real.pools[0]
    parts = [pool.group_pca(real.equal_weights, 5), pool.group_pca(real.equal_weights, 8)[2:]]
    space, found = gaussian_space(pool, parts, np.random.default_rng(0))
    true = np.concatenate([pool.signals(part).numpy() for part in parts]).astype(np.float64)
    null = np.concatenate([space.signals(part).numpy() for part in found]).astype(np.float64)
    size = np.abs(true @ true.T).max()
    np.testing.assert_allclose(null @ null.T, true @ true.T, atol=1e-4 * size)
    np.testing.assert_allclose(null.mean(axis=1), 0, atol=1e-4 * np.sqrt(size / null.shape[1]))
    kurtosis = [(x**4).mean() / (x**2).mean() ** 2 - 3 for x in null]
    assert np.abs(kurtosis).max() < 0.7


def test_gaussian_null_of_more_components_than_units_keeps_the_covariance() -> None:
    """A narrow layer: K components of everything and of each half are more than it has units."""
    rows = torch.from_numpy(np.random.default_rng(1).laplace(size=(15, 12)))
    rows -= rows.mean(dim=1, keepdim=True)
    parts = [np.eye(15)[i : i + 5] for i in (0, 5, 10)]
    true = (rows @ rows.T).numpy()
    space, found = gaussian_space(Space(rows, true), parts, np.random.default_rng(0))
    null = np.concatenate([space.signals(part).numpy() for part in found]).astype(np.float64)
    np.testing.assert_allclose(null @ null.T, true, atol=1e-4 * np.abs(true).max())
    np.testing.assert_allclose(null.mean(axis=1), 0, atol=1e-5)
