"""Calibrated thresholds on signals with a known truth, through the whole of ICA."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from planted import fit
from toy_atlas import atlas_of

from fnprune_core.atlas.chance import calibration
from fnprune_core.atlas.chance.calibration import (
    calibrate,
    halves_threshold,
    shift_threshold,
)
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.shifted import ShiftedSessions
from fnprune_core.storage.workspace import Workspace

N_UNITS, N_ACTIVE, N_SESSIONS, N_TOKENS = 1500, 4, 8, 180


class Signals:
    """Sessions of heavy-tailed slow units of unequal noise, some of them active together."""

    def __init__(self, *, n_networks=N_ACTIVE, n_documents=N_SESSIONS, seed=0) -> None:
        rng = np.random.default_rng(seed)
        x = rng.standard_t(5, size=(N_SESSIONS * N_TOKENS, N_UNITS)).astype(np.float32)
        for t in range(1, len(x)):
            x[t] = 0.4 * x[t - 1] + 0.92 * x[t]
        courses = rng.laplace(size=(len(x), n_networks))
        self.truth = rng.random((n_networks, N_UNITS)) < 0.05
        loadings = self.truth * rng.choice([-1, 1], self.truth.shape) * rng.uniform(
            0.6, 2.0, self.truth.shape
        )  # fmt: skip
        self.signals = (x + courses @ loadings).astype(np.float32)
        self.signals *= rng.lognormal(0, 0.3, N_UNITS).astype(np.float32)
        self.id, self.fingerprint, self.layout = "r", "f", UnitLayout((500, 1000))
        self.n_sessions, self.n_tokens = N_SESSIONS, len(x)
        self.is_dummy = np.zeros(len(x), dtype=bool)
        self.alive = np.ones(N_UNITS, dtype=bool)
        self.mean, self.std = self.signals.mean(axis=0), self.signals.std(axis=0)
        session = np.repeat(np.arange(N_SESSIONS), N_TOKENS)
        self.tokens = pd.DataFrame(
            {
                "session": session,
                "document": pd.Categorical([f"d{i % n_documents}" for i in session]),
                "domain": pd.Categorical(["a"] * len(x)),
                "is_dummy": self.is_dummy,
            }
        )

    def session_slice(self, session: int) -> slice:
        return slice(session * N_TOKENS, (session + 1) * N_TOKENS)

    def session(self, session: int) -> np.ndarray:
        return self.signals[self.session_slice(session)]

    def session_moments(self, session: int):
        part = self.session(session)
        return part.mean(axis=0), part.std(axis=0)


@pytest.fixture(scope="module")
def real():
    signals = Signals()
    atlas = NetworkAtlas(fit(signals, n_components=N_ACTIVE, normalize="recording"), signals.tokens)
    return signals, atlas, calibrate(signals, atlas)


def test_planted_units_are_marked_and_few_others(real) -> None:
    signals, atlas, found = real
    for network in range(N_ACTIVE):
        z = np.abs(atlas.maps[network])
        truth = signals.truth[int((signals.truth @ z).argmax())]
        is_marked = z > found.threshold[network]
        assert is_marked[truth].mean() > 0.9
        assert (~truth[is_marked]).mean() <= 0.1
        assert found.chance_at(network, found.threshold[network]) <= 0.06 * is_marked.sum()


def test_where_no_two_units_are_active_together_hardly_any_is_marked(real) -> None:
    """|z| > 3 marks as many units there as in a real map: heavy tails pass it."""
    shifted = ShiftedSessions(real[0], seed=1)
    atlas = NetworkAtlas(fit(shifted, n_components=N_ACTIVE, normalize="recording"), real[0].tokens)
    found = calibrate(shifted, atlas)
    shares = [
        (np.abs(z) > np.nan_to_num(t, nan=np.inf)).mean()
        for z, t in zip(atlas.maps, found.threshold, strict=True)
    ]
    assert np.mean(shares) < 0.005
    assert found.agreement.max() < 0.5 < real[2].agreement.min()
    assert found.n_safe(3.0) <= 1
    assert real[2].n_safe(3.0) == N_ACTIVE


def test_the_same_seed_gives_the_same_thresholds_and_few_documents_none(real) -> None:
    signals, atlas, found = real
    np.testing.assert_array_equal(calibrate(signals, atlas).threshold, found.threshold)
    assert (calibrate(signals, atlas, seed=1).threshold != found.threshold).any()
    few = Signals(n_documents=3)
    with pytest.raises(SettingsError, match="3 documents are too few"):
        calibrate(few, NetworkAtlas(atlas.decomposition, few.tokens))


@pytest.mark.parametrize("noise", ["normal", "heavy", "unequal"])
def test_units_that_keep_their_sign_by_chance_are_counted_whatever_their_noise(noise) -> None:
    rng, n = np.random.default_rng(0), 20_000
    shares = []
    for _ in range(10):
        a, b = rng.standard_t(4, (2, n)) if noise == "heavy" else rng.standard_normal((2, n))
        scale = rng.lognormal(0, 0.5, n) if noise == "unequal" else 1.0
        active = np.where(np.arange(n) < 600, rng.choice([-6, 6], n), 0)
        a, b = a * scale + active, b * scale + active
        level = halves_threshold(a, b)
        mirror = np.sign(a * b) * (np.abs(a) + np.abs(b)) / 2
        shares.append((active[mirror >= level] == 0).mean())
    assert 0.02 < np.mean(shares) < 0.06


def test_a_shift_threshold_keeps_both_limits() -> None:
    rng = np.random.default_rng(0)
    chance, z = rng.standard_normal((2, 20_000)), rng.standard_normal(20_000)
    z[:1000] += 5
    level = shift_threshold(z, chance)
    beyond = (np.abs(chance) >= level).sum() / 2
    assert beyond <= 2  # one in 10,000
    assert beyond <= 0.05 * (np.abs(z) >= level).sum()
    assert shift_threshold(z, chance, one_in=10) < level
    assert np.isnan(shift_threshold(chance[0], 3 * chance))


def test_a_calibration_is_kept_beside_the_atlas_and_not_for_other_maps(tmp_path, monkeypatch, real):
    signals, atlas, found = real
    atlas = NetworkAtlas(replace(atlas.decomposition, id="an-atlas"), atlas.tokens)
    workspace = Workspace(tmp_path)
    monkeypatch.setattr(calibration, "open_atlas", lambda *_: atlas)
    monkeypatch.setattr(calibration, "open_recording", lambda *_: signals)
    made = calibration.calibrated(workspace, atlas.id)
    read = calibration.read_calibration(workspace, atlas)
    np.testing.assert_allclose(read.threshold, made.threshold, atol=1e-4)
    np.testing.assert_allclose(made.threshold, found.threshold)
    assert calibration.read_calibration(workspace, atlas_of()) is None
    path = tmp_path / "thresholds" / "an-atlas.json"
    path.write_text(path.read_text().replace("threshold", "treshold"))
    with pytest.raises(CorruptArtifactError, match="cannot be read"):
        calibration.read_calibration(workspace, atlas)
