import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.recording.record import signals_of
from fnprune_core.recording.recording import Recording, RecordingSettings

RAGGED = (32, 32, 20, 32, 9)


@tiny.each_kind
def test_moments_are_those_of_all_tokens(record_windows, language_model):
    recording = record_windows(language_model, tiny.toy_windows(RAGGED))
    signals = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    signals = signals.astype(np.float64)
    usable = signals[~recording.is_dummy]
    scale = signals.std(axis=0)
    # stored signals are rounded to 11 bits, the moments come from those before the rounding
    assert (np.abs(recording.mean - usable.mean(axis=0)) <= 1e-3 * scale).all()
    np.testing.assert_allclose(recording.std, usable.std(axis=0), rtol=1e-3)
    dummy = np.abs(signals[recording.is_dummy]).max(axis=0)
    np.testing.assert_allclose(recording.dummy_max, dummy, rtol=1e-3)
    session = signals[recording.session_slice(2)][2:]
    mean, std = recording.session_moments(2)
    assert (np.abs(mean - session.mean(axis=0)) <= 1e-3 * scale).all()
    np.testing.assert_allclose(std, session.std(axis=0), rtol=2e-3)

    weights = np.random.default_rng(0).exponential(size=recording.n_tokens)
    weights[recording.is_dummy] = 0
    mean, variance = recording.weighted_moments(weights)
    expected = np.average(signals, axis=0, weights=weights)
    assert (np.abs(mean - expected) <= 1e-6 * scale).all()
    expected = np.average(np.square(signals - expected), axis=0, weights=weights)
    np.testing.assert_allclose(variance, expected, rtol=1e-4)
    with pytest.raises(SettingsError, match="weight"):
        recording.weighted_moments(np.zeros(recording.n_tokens))


def test_a_window_of_dummy_tokens_alone_leaves_the_moments_as_they_are(record_windows, llama):
    """It used to give them a mean of nothing, NaN."""
    recording = record_windows(llama, tiny.toy_windows((32, 2, 32)))
    signals = np.concatenate([recording.session(i) for i in range(3)])
    expected = signals[~recording.is_dummy].std(axis=0)
    np.testing.assert_allclose(recording.std, expected, rtol=1e-3)
    with pytest.raises(SettingsError, match="dummy"):
        record_windows(llama, tiny.toy_windows((9, 9), n_dummy_tokens=9))


def test_units_that_do_not_vary_are_not_alive(record_windows, llama):
    with torch.no_grad():
        feeding_modules(llama.model, llama.architecture, 1)[0].weight[7] = 0
    recording = record_windows(llama)
    assert np.flatnonzero(~recording.alive).tolist() == [48 + 7]
    assert recording.layer_statistics()["alive"].tolist() == [48, 47, 48]


def test_one_layer_is_a_part_of_its_session(recording):
    for layer in range(recording.layout.n_layers):
        np.testing.assert_array_equal(
            recording.session(3, layer=layer),
            recording.session(3)[:, recording.layout.layer_slice(layer)],
        )


def test_float16_holds_activations_of_any_size(record_windows, llama):
    """Above 65504, tiny, and so tiny that a scale of their own would be zero."""
    factors = {0: 1e6, 1: 1e-9, 2: 1e-42}
    units = list(factors)
    with torch.no_grad():
        rows = feeding_modules(llama.model, llama.architecture, 0)[1].weight
        columns = output_projections(llama.model, llama.architecture)[0].weight
        for unit, factor in factors.items():
            rows[unit] *= factor
            columns[:, unit] /= max(factor, 1)
    recording = record_windows(llama)
    for i in range(recording.n_sessions):
        ids = torch.from_numpy(recording.windows.window_ids(i).astype(np.int64))[None]
        expected = signals_of(llama, ids)[0][0][:, units]
        largest = np.abs(expected).max(axis=0)
        actual = recording.session(i)[:, units]
        assert (np.abs(actual - expected) <= 2**-11 * np.abs(expected) + 2**-24 * largest).all(
            where=[True, True, False]
        )
        assert (np.abs(actual[:, 2]) < 1e-30).all()
    assert largest[0] > 65504
    assert 0 < largest[1] < 1e-6


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("signals.f16", lambda path: path.write_bytes(path.read_bytes()[:-2])),
        ("scales.f4", lambda path: path.unlink()),
        ("session_m2.f8", lambda path: path.write_bytes(b"")),
        ("tokens.parquet", lambda path: path.write_bytes(path.read_bytes()[:-20])),
        ("tokens.parquet", lambda path: path.unlink()),
        ("manifest.json", lambda path: path.write_text("{")),
        ("manifest.json", lambda path: path.write_text('{"schema_version": 99}')),
    ],
)
def test_a_damaged_recording_is_refused(recording, name, spoil):
    spoil(recording.folder / name)
    with pytest.raises(CorruptArtifactError) as caught:
        Recording(recording.folder)
    assert caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 4},
        {"n_dummy_tokens": -1},
        {"window": 32, "n_dummy_tokens": 32},
        {"batch_size": 0},
        {"window": 512, "max_tokens": 511},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingsError):
        RecordingSettings(**settings)
