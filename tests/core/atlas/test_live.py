import numpy as np
import pytest

from fnprune_core.atlas.live import recorded_run, run_of
from fnprune_core.atlas.probe import NetworkProbe
from fnprune_core.errors import SettingsError


def test_a_run_has_the_strengths_of_the_probe_and_a_plain_surprise(llama, recording, atlas):
    probe = NetworkProbe.prepare(atlas, recording)
    reading = probe.read(llama, "ab ac ad ae af aq ar as at au")
    run = run_of(reading)
    assert np.array_equal(run.strengths, reading.strengths)
    assert run.pieces == reading.pieces
    assert np.array_equal(run.surprise, -reading.log_probability, equal_nan=True)


def test_shares_are_squares_over_their_sum_and_rank_the_networks(atlas):
    run = recorded_run(atlas, 3)
    usable = np.flatnonzero(~run.is_dummy)
    shares, strongest = run.shares(), run.strongest(3)
    for token in usable:
        energy = [(run.strengths[k, token] / run.usual[k]) ** 2 for k in range(run.n_networks)]
        assert np.allclose(shares[:, token], np.array(energy) / sum(energy), rtol=1e-5)
        assert (
            strongest[:, token].tolist()
            == sorted(range(run.n_networks), key=lambda k: -energy[k])[:3]
        )
    assert np.allclose(shares[:, usable].sum(axis=0), 1)
    assert not shares[:, run.is_dummy].any()
    assert (strongest[:, run.is_dummy] == -1).all()


def test_a_recorded_session_is_the_one_that_the_model_would_read(llama, recording, atlas):
    run = recorded_run(atlas, 2)
    probe = NetworkProbe.prepare(atlas, recording)
    read = run_of(probe.read_windows(llama, recording.windows.select([2])))
    assert np.abs(run.strengths - read.strengths).max() < 1e-3 * np.abs(read.strengths).max()
    assert np.allclose(run.surprise, read.surprise, atol=1e-4, equal_nan=True)
    assert np.array_equal(run.is_dummy, read.is_dummy)
    with pytest.raises(SettingsError, match="no session 99") as caught:
        recorded_run(atlas, 99)
    assert "0 to 7" in caught.value.hint
