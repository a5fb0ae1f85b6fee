from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from toy_atlas import atlas_from

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.probe import MAX_TOKENS, NetworkProbe
from fnprune_core.errors import FingerprintMismatchError, TextError
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.record import signals_of


@pytest.fixture
def probe(atlas, recording) -> NetworkProbe:
    return NetworkProbe.prepare(atlas, recording)


@pytest.mark.parametrize("scope", ["model", "layer"])
def test_a_recorded_session_gives_its_time_courses(llama, recording, scope):
    atlas = atlas_from(recording, scope=scope)
    probe = NetworkProbe.prepare(atlas, recording)
    for session in (0, 5):
        reading = probe.read_windows(llama, recording.windows.select([session]))
        expected = atlas.time_courses[:, recording.session_slice(session)]
        # the recording is stored as float16: 2^-11 a value, less in a sum over units
        assert np.abs(reading.strengths - expected).max() < 1e-3 * np.abs(expected).max()
        assert reading.is_dummy.tolist() == [True] * 2 + [False] * 30


def test_strengths_are_least_squares_on_alive_units_alone(llama, recording, atlas):
    alive = np.ones(144, dtype=bool)
    alive[[3, 50, 143]] = False
    maps = np.where(alive, atlas.maps, 0).astype(np.float32)
    part = NetworkAtlas(
        replace(atlas.decomposition, alive=alive, spatial_maps=maps), recording.tokens
    )
    ids = tiny.random_ids(n_windows=1, length=12)
    windows = replace(
        tiny.toy_windows((12,), n_documents=1), token_ids=ids[0].numpy(), text_sha256=""
    )
    reading = NetworkProbe.prepare(part, recording).read_windows(llama, windows)
    x = (signals_of(llama, ids)[0][0] - recording.mean) / recording.std
    design = np.vstack([np.ones(141), maps[:, alive]]).T
    expected = np.linalg.lstsq(design, x[:, alive].T.astype(np.float64), rcond=None)[0][1:]
    assert np.allclose(reading.strengths, expected, atol=1e-4 * np.abs(expected).max())


def test_a_long_text_is_read_in_windows_without_memory(llama, probe):
    words = [tiny.WORDS[1 + i % 60] for i in range(70)]
    reading = probe.read(llama, " ".join(words))
    assert [piece.strip() for piece in reading.pieces] == words
    assert reading.n_windows == 3
    assert np.flatnonzero(reading.is_dummy).tolist() == [0, 1, 32, 33, 64, 65]
    second = probe.read(llama, " ".join(words[32:64]))
    assert np.array_equal(reading.strengths[:, 32:64], second.strengths)
    assert np.isnan(reading.log_probability[[0, 32, 64]]).all()


def test_rarity_counts_the_recordings_tokens(llama, probe, atlas):
    reading = probe.read(llama, "ab ac ad ae af aq ar as at au")
    known = np.abs(atlas.time_courses[:, ~atlas.is_dummy])
    for k in range(4):
        expected = [(known[k] >= abs(s)).mean() for s in reading.strengths[k]]
        assert np.allclose(reading.rarity[k], expected)
    # a token counts itself: the strongest of all is as strong as one of them, not as none
    own = probe.rarity(known.max(axis=1, keepdims=True))
    assert np.allclose(own, 1 / known.shape[1])


def test_ranking_is_relative_to_the_recording_and_leaves_dummy_tokens_out(llama, probe, atlas):
    reading = probe.read(llama, "aq ar as at au av aw ax bq br")
    courses = atlas.time_courses[:, ~atlas.is_dummy]
    usual = np.sqrt(np.square(courses).mean(axis=1))
    usable = reading.strengths[:, 2:] / usual[:, None]
    assert np.allclose(reading.energy(), np.square(usable).mean(axis=1), rtol=1e-5)
    assert reading.strongest().tolist() == [-1, -1, *np.abs(usable).argmax(axis=0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no text"),
        (" \n\t ", "no text"),
        ("ab ac", "first 2"),
        ("ab " * 100_000, "characters"),
        ("ab " * (MAX_TOKENS + 1), "4,097 tokens"),
    ],
)
def test_texts_that_cannot_be_read(llama, probe, text, message):
    with pytest.raises(TextError, match=message) as caught:
        probe.read(llama, text)
    assert caught.value.hint
    assert tiny.is_idle(llama)


def test_controls_and_lone_surrogates_are_read(llama, probe):
    reading = probe.read(llama, "ab\x00ac \ud800 \u202ead <script>\x1b[31m")
    assert np.isfinite(reading.strengths).all()


def test_another_model_or_recording_is_refused(llama, probe, atlas, record_windows):
    other = tiny.tiny_language_model("Llama", seed=1)
    with pytest.raises(FingerprintMismatchError, match="fingerprint"):
        probe.read(other, "ab ac ad ae")
    stranger = record_windows(llama, tiny.toy_windows(seed=1))
    with pytest.raises(FingerprintMismatchError, match="made from recording"):
        NetworkProbe.prepare(atlas, stranger)


def test_stops_between_windows(llama, probe):
    cancel = CancelToken()
    seen = []

    def report(event) -> None:
        seen.append((event.done, event.total))
        cancel.cancel()

    with pytest.raises(Cancelled):
        probe.read(llama, "ab " * 70, progress=report, cancel=cancel)
    assert seen == [(1, 3)]
    assert tiny.is_idle(llama)
    assert not torch.is_inference_mode_enabled()
