import errno
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from study import CALIBRATION, HELD_OUT, RECORDING

from fnprune_core.errors import NonFiniteError, StorageError
from fnprune_core.models.architectures import feeding_modules
from fnprune_core.models.projections import weight_of
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording import recording as recording_module
from fnprune_core.recording.record import (
    estimate_recording,
    record,
    record_texts,
    recording_bytes,
    signals_of,
    token_table,
    windows_for,
)
from fnprune_core.recording.recording import Recording, RecordingSettings
from fnprune_core.recording.writer import Writer
from fnprune_core.storage.workspace import Workspace

pytestmark = pytest.mark.usefixtures("short_passes")
SETTINGS = RecordingSettings(window=32, n_dummy_tokens=2, batch_size=2)
RAGGED = (32, 32, 20, 32, 9)


def bytes_of(folder):
    """Everything a recording holds, less the time in its manifest."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name not in ("manifest.json", ".lock")
    }


@pytest.fixture
def uninterrupted(tmp_path, llama):
    """The bytes of a recording of the toy windows that nothing disturbed."""
    workspace = Workspace(tmp_path / "undisturbed")
    id = record(workspace, llama, tiny.toy_windows(), settings=SETTINGS)
    return bytes_of(workspace.folder("recordings", id))


def assert_nothing_half_read(workspace, language_model):
    assert workspace.entries() == []
    assert tiny.is_idle(language_model)


def assert_resumes_to(uninterrupted, workspace, language_model):
    """The first sessions are not read again, and the result is the same to the byte."""
    events = []
    id = record(
        workspace, language_model, tiny.toy_windows(), settings=SETTINGS, progress=events.append
    )
    assert events[0].done > 0
    assert bytes_of(workspace.folder("recordings", id)) == uninterrupted
    assert workspace.unfinished() == []


@tiny.each_kind
def test_each_session_is_what_the_model_does_with_that_window_alone(language_model, record_windows):
    windows = tiny.toy_windows(RAGGED)
    recording = record_windows(language_model, windows, batch_size=3)
    assert recording.n_sessions == len(RAGGED)
    log_p = recording.tokens["log_probability"].to_numpy()
    for i in range(recording.n_sessions):
        ids = torch.from_numpy(windows.window_ids(i).astype(np.int64))[None]
        signals, expected_log_p = signals_of(language_model, ids)
        largest = np.abs(signals[0]).max(axis=0)
        # float16 with a scale per unit: 11 bits
        assert (np.abs(recording.session(i) - signals[0]) <= 2**-11 * largest + 1e-5).all()
        part = log_p[recording.session_slice(i)]
        np.testing.assert_allclose(part, expected_log_p[0], rtol=1e-4, atol=1e-5)
        scores = tiny.logits_of(language_model.model, ids)[0].log_softmax(dim=-1)
        assert np.isnan(part[0])
        assert part[3] == pytest.approx(float(scores[2, ids[0, 3]]), abs=1e-4)


def test_tokens_say_where_they_stand(record_windows, llama):
    windows = tiny.toy_windows(RAGGED)
    tokens = record_windows(llama, windows).tokens
    np.testing.assert_array_equal(tokens["session"], np.repeat(range(5), RAGGED))
    np.testing.assert_array_equal(tokens["position"], np.concatenate([*map(np.arange, RAGGED)]))
    np.testing.assert_array_equal(tokens["is_dummy"], tokens["position"] < 2)
    np.testing.assert_array_equal(tokens["token_id"], windows.token_ids)
    assert [tiny.WORDS[i] for i in windows.token_ids] == tokens["text"].tolist()
    assert tokens["document"].iloc[0] == "document 0"
    assert tokens["domain"].iloc[-1] == "code"


class Bytes:
    """A tokenizer of which each token is one byte."""

    def decode(self, ids, **options) -> str:
        return bytes(int(i) for i in ids).decode("utf-8", "replace")


def test_a_character_of_several_tokens_is_shown_whole_at_the_last() -> None:
    """Decoded one by one, the two bytes of “é” were two replacement characters in every passage."""
    ids = np.frombuffer("né 漢".encode() + "é".encode()[:1] + "é".encode()[1:], dtype=np.uint8)
    session = np.array([0] * 8 + [1])  # what begins in one session does not end in the next
    place = {"session": session, "position": np.arange(9), "is_dummy": np.zeros(9, dtype=bool)}
    windows = SimpleNamespace(
        **place, token_ids=ids, document_index=session * 0, document_names=["a"],
        domain_index=session * 0, domain_names=["b"],
    )  # fmt: skip
    table = token_table(windows, Bytes(), np.zeros(9, dtype=np.float32))
    assert table["text"].tolist() == ["n", "", "é", " ", "", "", "漢", "\ufffd", "\ufffd"]


@tiny.each_kind
def test_the_batch_size_changes_nothing(tmp_path, language_model):
    windows = tiny.toy_windows(RAGGED)
    recordings = []
    for batch_size in (1, 2, 5):
        workspace = Workspace(tmp_path / str(batch_size))
        settings = RecordingSettings(window=32, batch_size=batch_size)
        id = record(workspace, language_model, windows, settings=settings)
        recordings.append(Recording(workspace.folder("recordings", id)))
    first, *others = recordings
    for other in others:
        assert other.id == first.id
        np.testing.assert_allclose(
            other.tokens["log_probability"], first.tokens["log_probability"], rtol=1e-4
        )
        for i in range(first.n_sessions):
            # one step of float16 where the last bit of float32 decides the rounding
            np.testing.assert_allclose(other.session(i), first.session(i), rtol=2e-3, atol=1e-5)


def test_the_same_text_is_found_and_another_is_not(workspace, llama, record_windows, monkeypatch):
    first = record_windows(llama)
    assert record_windows(llama, tiny.toy_windows(n_dummy_tokens=3)).id != first.id
    assert record_windows(llama, tiny.toy_windows(seed=1)).id != first.id
    assert record_windows(tiny.tiny_language_model("Llama", seed=1)).id != first.id
    monkeypatch.delattr("fnprune_core.recording.record.Reader")  # no pass is made again
    settings = RecordingSettings(window=32, max_tokens=256, batch_size=1)
    assert record(workspace, llama, tiny.toy_windows(), settings=settings) == first.id


def test_stopping_midway_leaves_nothing_half_read_and_resumes(workspace, llama, uninterrupted):
    token = CancelToken()

    def stop(event):
        assert tiny.is_idle(llama)
        if event.done >= 4:
            token.cancel()

    with pytest.raises(Cancelled):
        record(workspace, llama, tiny.toy_windows(), settings=SETTINGS, progress=stop, cancel=token)
    assert_nothing_half_read(workspace, llama)
    assert_resumes_to(uninterrupted, workspace, llama)


def test_an_error_in_the_model_leaves_nothing_half_read(
    workspace, llama, uninterrupted, monkeypatch
):
    mlp = llama.model.model.layers[1].mlp
    forward, calls = mlp.forward, []

    def fail_later(x):
        calls.append(x)
        if len(calls) == 3:
            raise RuntimeError("the device is lost")
        return forward(x)

    with monkeypatch.context() as patch:
        patch.setattr(mlp, "forward", fail_later)
        with pytest.raises(RuntimeError, match="device is lost"):
            record(workspace, llama, tiny.toy_windows(), settings=SETTINGS)
    assert_nothing_half_read(workspace, llama)
    assert_resumes_to(uninterrupted, workspace, llama)


def test_a_full_disk_leaves_the_workspace_whole_and_resumes(
    workspace, llama, uninterrupted, monkeypatch
):
    write, calls = Writer._write, []

    def fill_up(self, name, values, offset_bytes):
        calls.append(name)
        if len(calls) == 10:  # in the middle of the second batch
            write(self, name, values[: len(values) // 2], offset_bytes)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, name, values, offset_bytes)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_write", fill_up)
        with pytest.raises(StorageError, match="full"):
            record(workspace, llama, tiny.toy_windows(), settings=SETTINGS)
    assert_nothing_half_read(workspace, llama)
    assert_resumes_to(uninterrupted, workspace, llama)


def test_activations_that_are_not_finite_name_their_session(workspace, llama):
    with torch.no_grad():
        llama.model.model.embed_tokens.weight[0] = torch.nan  # toy windows have no token 0
    windows = tiny.toy_windows()
    token_ids = windows.token_ids.copy()
    token_ids[5 * 32 + 3] = 0
    fields = {name: getattr(windows, name) for name in windows.__slots__} | {
        "token_ids": token_ids,
        "text_sha256": "",
    }
    with pytest.raises(NonFiniteError, match=r"Session 5: .*\(layers 0, 1, 2\)"):
        record(workspace, llama, type(windows)(**fields), settings=SETTINGS)
    assert_nothing_half_read(workspace, llama)


def test_activations_that_are_not_finite_name_their_layers(workspace, llama):
    with torch.no_grad():
        feeding_modules(llama.model, llama.architecture, 1)[0].weight[7] = torch.inf
    with pytest.raises(NonFiniteError, match=r"Session 0: .*\(layers 1, 2\)"):
        record(workspace, llama, tiny.toy_windows(), settings=SETTINGS)
    assert_nothing_half_read(workspace, llama)


def test_logits_alone_that_are_not_finite_are_refused_too(workspace, llama):
    """They used to end in a ValueError of the JSON writer."""
    with torch.no_grad():
        weight_of(llama.model.lm_head)[3] = torch.nan
    with pytest.raises(NonFiniteError, match=r"Session 0: log-probabilities"):
        record(workspace, llama, tiny.toy_windows(), settings=SETTINGS)
    assert_nothing_half_read(workspace, llama)


def test_finished_work_is_found_on_a_full_disk(study, monkeypatch) -> None:
    """The space of a whole recording was once asked for even when it was there."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    model, workspace = study.model, study.workspace
    found = record_texts(workspace, model, CALIBRATION, settings=RECORDING)
    assert found == study.recording
    with pytest.raises(StorageError, match=r"needs 0\.\d MB, but .* has 0\.0 MB free"):
        record_texts(workspace, model, HELD_OUT, settings=RECORDING)
    assert workspace.unfinished() == []


def test_a_stopped_recording_needs_only_the_space_that_is_missing(tmp_path, monkeypatch) -> None:
    model, workspace = tiny.tiny_language_model("Llama"), Workspace(tmp_path)
    settings = replace(RECORDING, batch_size=1)
    cancel = CancelToken()

    def stop(event) -> None:
        if event.done > event.total // 2:
            cancel.cancel()

    def record(**options) -> str:
        return record_texts(workspace, model, CALIBRATION, settings=settings, **options)

    with pytest.raises(Cancelled):
        record(progress=stop, cancel=cancel)
    whole = recording_bytes(windows_for(model, CALIBRATION, settings), model.layout, settings)
    free = SimpleNamespace(free=whole // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert workspace.has("recordings", record())


def test_an_estimate_tells_what_a_recording_takes(study) -> None:
    windows = windows_for(study.model, CALIBRATION, RECORDING)
    estimate = estimate_recording(study.model, windows, RECORDING)
    recording = recording_module.open_recording(study.workspace, study.recording)
    assert estimate.n_tokens == recording.n_tokens
    assert estimate.n_sessions == recording.n_sessions
    assert estimate.disk_bytes == recording_bytes(windows, study.model.layout, RECORDING)
    assert estimate.disk_bytes <= sum(
        path.stat().st_size for path in recording.folder.iterdir() if path.suffix != ".parquet"
    )
    assert 0 < estimate.seconds < 60
    assert estimate.memory_bytes > study.model.anatomy().parameter_bytes
