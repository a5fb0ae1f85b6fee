"""Batches that memory does not hold are read in halves, and nothing else changes."""

from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from transformers import LlamaConfig

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.machine.batches import (
    FittingBatches,
    bytes_per_token,
    is_out_of_memory,
    windows_that_fit,
)
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.recording.writer import Writer
from fnprune_core.storage.workspace import Workspace

pytestmark = pytest.mark.usefixtures("short_passes")


def holding(most: int, asked: list[range]):
    """Return what reads batches of at most so many windows, and notes what it was asked for."""

    def read(batch: range) -> list[int]:
        asked.append(batch)
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return list(batch)

    return read


def test_a_batch_is_read_in_halves_and_what_fits_is_remembered() -> None:
    asked: list[range] = []
    batches = FittingBatches(8)
    read = holding(3, asked)
    found = [values for _, values in batches.parts(range(0, 8), read)]
    assert found == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert batches.most == 2
    assert asked[:2] == [range(0, 8), range(0, 4)]
    asked.clear()
    assert [part for part, _ in batches.parts(range(8, 13), read)] == [
        range(8, 10), range(10, 12), range(12, 13)
    ]  # fmt: skip
    assert len(asked) == 3


def test_a_single_window_that_does_not_fit_is_an_error_with_a_way_out() -> None:
    with pytest.raises(SettingsError, match="a single window") as caught:
        list(FittingBatches(4).parts(range(4), holding(0, [])))
    assert "bfloat16" in str(caught.value.hint)


def test_other_errors_are_not_taken_for_it() -> None:
    def broken(batch: range) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(FittingBatches(4).parts(range(4), broken))
    assert is_out_of_memory(MemoryError())
    for text in (
        "[enforce fail] DefaultCPUAllocator: can't allocate memory",
        "CUDA error: out of memory",
        "MPS backend out of memory (MPS allocated: 1 GB)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ):
        assert is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.fixture
def cramped(monkeypatch):
    """A model that holds two windows at a time; says how many it was given."""
    language_model = tiny.tiny_language_model("Llama")
    forward, sizes = language_model.model.forward, []

    def two_at_most(input_ids, **options):
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(input_ids, **options)

    monkeypatch.setattr(language_model.model, "forward", two_at_most)
    return language_model, sizes


def test_perplexity_is_the_same_in_parts(cramped, monkeypatch) -> None:
    monkeypatch.setattr("fnprune_core.machine.batches.PASS_TOKENS", 128)
    language_model, sizes = cramped
    windows = tiny.toy_windows()
    found = perplexity(language_model.model, windows, batch_size=4)
    assert max(sizes) > 2
    plain = perplexity(tiny.tiny_language_model("Llama").model, windows, batch_size=2)
    np.testing.assert_allclose(found.window_nll, plain.window_nll, rtol=1e-6)
    assert len(found.windows) == windows.n_windows


@pytest.mark.parametrize("keep", ["all", "summary"])
def test_a_recording_is_the_same_where_memory_runs_out_while_it_is_written(
    monkeypatch, tmp_path, keep
) -> None:
    """What was read before is written once the pass that is tried again has filled its memory."""
    windows = tiny.toy_windows((16,) * 12, seed=5)
    settings = RecordingSettings(window=16, max_tokens=None, batch_size=4, keep=keep)
    plain = tiny.tiny_language_model("Llama")
    expected = open_recording(
        Workspace(tmp_path / "plain"),
        record(Workspace(tmp_path / "plain"), plain, windows, settings=settings),
    )
    cramped = tiny.tiny_language_model("Llama")
    forward, store, sizes, tried_again = cramped.model.forward, Writer._store, [], Event()

    def runs_out_later(input_ids, **options):
        sizes.append(len(input_ids))
        if len(sizes) > 1 and len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        found = forward(input_ids, **options)
        if len(sizes) > 2:
            tried_again.set()
        return found

    def store_later(writer, sessions, read):
        assert tried_again.wait(timeout=30)
        store(writer, sessions, read)

    monkeypatch.setattr(cramped.model, "forward", runs_out_later)
    monkeypatch.setattr(Writer, "_store", store_later)
    workspace = Workspace(tmp_path / "cramped")
    found = open_recording(workspace, record(workspace, cramped, windows, settings=settings))
    assert sizes[:4] == [4, 4, 2, 2]
    np.testing.assert_allclose(found.std, expected.std, rtol=1e-5)
    np.testing.assert_allclose(
        found.tokens["log_probability"], expected.tokens["log_probability"], rtol=1e-5
    )
    assert {item.standing for item in workspace.verify()} == {"sound"}
    for session in range(windows.n_windows):
        a, b = (each.deviations(session).values for each in (found, expected))
        scale = float(b.abs().max())
        assert float((a - b).abs().max()) < 1e-3 * scale


def test_what_a_model_leaves_of_a_gpu_says_how_many_windows_go_into_a_pass(monkeypatch) -> None:
    language_model = tiny.tiny_language_model("Llama")
    model = language_model.model
    assert windows_that_fit(model, 512, most=7) == 7  # on a CPU as asked
    each = 512 * bytes_per_token(model.config, model.dtype)
    held = sum(parameter.nbytes for parameter in model.parameters())
    weights = [SimpleNamespace(device=torch.device("cuda:0"), nbytes=held)]
    properties = SimpleNamespace(total_memory=held + 10 * each)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    on_gpu = SimpleNamespace(
        config=model.config, dtype=model.dtype, parameters=lambda: iter(weights)
    )
    assert windows_that_fit(on_gpu, 512, most=7) == 5  # into half of it
    assert windows_that_fit(on_gpu, 512, most=3) == 3
    assert windows_that_fit(on_gpu, 512 * 100, most=3) == 1


def test_a_token_takes_its_logits_and_what_a_layer_makes_of_it() -> None:
    config = LlamaConfig(vocab_size=49152, intermediate_size=1536, hidden_size=576)
    half = bytes_per_token(config, torch.bfloat16)
    assert half > 2 * 49152 * 2
    assert bytes_per_token(config, torch.float32) == 2 * half
