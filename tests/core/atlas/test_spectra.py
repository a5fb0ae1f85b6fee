"""Spectra of time courses on known signals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import welch
from toy_atlas import LAYOUT, atlas_of

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.spectra import Spectrum, spectrum
from fnprune_core.errors import SettingsError

WINDOW, N_SESSIONS, N_DUMMY = 260, 6, 4
PERIOD = 16


def long_atlas(courses: np.ndarray, *, window: int = WINDOW) -> NetworkAtlas:
    """Sessions of one document each, but the last two, which are one document's."""
    n = courses.shape[1] // window
    position = np.tile(np.arange(window), n)
    tokens = pd.DataFrame(
        {
            "session": np.repeat(np.arange(n), window),
            "position": position,
            "text": "t",
            "document": pd.Categorical(
                [f"d{min(s, n - 2)}" for s in np.repeat(np.arange(n), window)]
            ),
            "domain": pd.Categorical(["prose"] * (n * window)),
            "is_dummy": position < N_DUMMY,
        }
    )
    few = atlas_of(maps=np.ones((len(courses), LAYOUT.n_units)))
    return NetworkAtlas(replace(few.decomposition, time_courses=courses.astype(np.float32)), tokens)


def test_a_sine_peaks_at_its_period_and_noise_is_flat() -> None:
    t = np.arange(WINDOW * N_SESSIONS)
    rng = np.random.default_rng(0)
    found = long_atlas(np.stack([np.sin(2 * np.pi * t / PERIOD), rng.standard_normal(len(t))]))
    sine, noise = spectrum(found, 0), spectrum(found, 1)
    assert 1 / sine.frequency[sine.power.argmax()] == pytest.approx(PERIOD)
    assert sine.half_power_frequency == pytest.approx(1 / PERIOD, rel=0.2)
    assert sine.slow_share() > 0.9
    # White noise of variance 1 has a one-sided density of 2 at every frequency.
    assert noise.power[:-1].mean() == pytest.approx(2.0, rel=0.15)
    assert np.abs(noise.power[:-1] - 2).max() < 5 * noise.standard_error[:-1].max()
    assert noise.half_power_frequency == pytest.approx(0.25, abs=0.04)
    assert noise.slow_share() == pytest.approx(0.2, abs=0.04)


def test_the_slow_share_is_of_amplitude_not_of_power() -> None:
    """Zou et al. (2008) take the square root of the power first."""
    power = np.array([9.0, 1.0])
    found = Spectrum(
        frequency=np.array([0.02, 0.4]),
        power=power,
        standard_error=power,
        n_documents=1,
        segment=16,
    )
    assert found.slow_share(below=0.1) == pytest.approx(3 / 4)


def test_mean_and_error_are_over_documents_whatever_their_number_of_sessions() -> None:
    courses = np.random.default_rng(1).standard_normal((1, WINDOW * N_SESSIONS))
    courses[0] *= np.repeat(1 + np.arange(N_SESSIONS), WINDOW)
    courses[0, np.tile(np.arange(WINDOW), N_SESSIONS) < N_DUMMY] = 1e6  # dummy tokens are left out
    found = spectrum(long_atlas(courses), 0)
    each = np.stack(
        [
            welch(courses[0, s * WINDOW + N_DUMMY : (s + 1) * WINDOW], nperseg=128)[1]
            for s in range(N_SESSIONS)
        ]
    )[:, 1:]
    documents = np.vstack([each[:4], each[4:].mean(axis=0)])
    assert found.n_documents == 5
    np.testing.assert_allclose(found.power, documents.mean(axis=0), rtol=1e-3)
    error = documents.std(axis=0, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-3)


def test_parts_of_one_text_are_one_document() -> None:
    atlas = long_atlas(np.random.default_rng(3).standard_normal((1, WINDOW * N_SESSIONS)))
    parts = [f"text {s // 3}, part {s % 3 + 1}" for s in atlas.tokens["session"]]
    cut, whole = atlas.tokens.copy(), atlas.tokens.copy()
    cut["document"] = pd.Categorical(parts)
    whole["document"] = pd.Categorical([name.partition(",")[0] for name in parts])
    found, expected = (spectrum(NetworkAtlas(atlas.decomposition, t), 0) for t in (cut, whole))
    assert found.n_documents == expected.n_documents == 2
    np.testing.assert_allclose(found.standard_error, expected.standard_error)


def test_short_texts_take_shorter_segments_and_too_short_ones_are_refused() -> None:
    courses = np.random.default_rng(2).standard_normal((1, 200))
    assert spectrum(long_atlas(courses, window=50), 0).segment == 32
    with pytest.raises(SettingsError, match="longest has 6"):
        spectrum(long_atlas(courses, window=10), 0)
