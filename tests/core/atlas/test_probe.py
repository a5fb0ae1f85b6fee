from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from toy_atlas import atlas_from

from fnprune_core.atlas.chance.directions import directions
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


def test_random_directions_are_read_in_the_same_passes(llama, recording, atlas):
    made = directions(recording, atlas)
    probe = NetworkProbe.prepare(atlas, recording, directions=made)
    reading = probe.read_windows(llama, recording.windows.select([3]))
    usable = np.zeros(len(atlas.is_dummy), dtype=bool)
    usable[recording.session_slice(3)] = True
    usable &= ~atlas.is_dummy
    energy = np.square(made.permuted.astype(np.float64))
    expected = energy[:, usable].mean(axis=1) / energy[:, ~atlas.is_dummy].mean(axis=1)
    np.testing.assert_allclose(reading.control, expected, rtol=1e-2)
    np.testing.assert_array_equal(reading.beside().networks, reading.energy())
    assert NetworkProbe.prepare(atlas, recording).read(llama, "a b c d e f g").beside() is None


def test_a_network_of_the_text_stands_above_random_directions_and_noise_does_not(llama, recording):
    """The first network's map is what the units do in a text, the other maps are noise."""
    text = " ".join(tiny.WORDS[5 + i % 3] for i in range(24))
    atlas = atlas_from(recording)
    probe = NetworkProbe.prepare(atlas, recording)
    x, _ = probe.signals(llama, probe.cut(llama, text), 0)
    maps = np.random.default_rng(0).standard_normal((30, recording.layout.n_units))
    maps[0] = x[2:].mean(dim=0)
    maps = (maps - maps.mean(axis=1, keepdims=True)) / maps.std(axis=1, keepdims=True)
    design = np.vstack([np.ones(maps.shape[1]), maps]).T
    signals = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    normal = (signals.astype(np.float64) - recording.mean) / recording.std
    courses = np.linalg.lstsq(design, normal.T, rcond=None)[0][1:]
    planted = NetworkAtlas(
        replace(
            atlas.decomposition,
            spatial_maps=maps.astype(np.float32),
            time_courses=courses.astype(np.float32),
            layer_of_network=np.full(30, -1),
            **dict.fromkeys(("run_agreement", "variance_alone", "variance_left_out"), np.ones(30)),
        ),
        atlas.tokens,
    )
    made = directions(recording, planted)
    beside = NetworkProbe.prepare(planted, recording, directions=made).read(llama, text).beside()
    assert beside.networks.argmax() == 0
    assert beside.is_above()[0]
    assert beside.is_above()[1:].sum() <= 5  # 5 % and what chance adds


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
