"""Batches that memory does not hold are read in halves, and nothing else changes."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.batches import (
    FittingBatches,
    bytes_per_token,
    fitting,
    is_out_of_memory,
    windows_that_fit,
)


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
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate"))


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


def test_perplexity_is_the_same_in_parts(cramped) -> None:
    language_model, sizes = cramped
    windows = tiny.toy_windows()
    found = perplexity(language_model.model, windows, batch_size=4)
    assert max(sizes) > 2
    plain = perplexity(tiny.tiny_language_model("Llama").model, windows, batch_size=2)
    np.testing.assert_allclose(found.window_nll, plain.window_nll, rtol=1e-6)
    assert len(found.windows) == windows.n_windows


@pytest.mark.parametrize("keep", ["all", "summary"])
def test_a_recording_is_the_same_in_parts(cramped, tmp_path, keep) -> None:
    language_model, sizes = cramped
    windows = tiny.toy_windows()
    recordings = []
    for name, model, batch_size in (
        ("cramped", language_model, 4),
        ("plain", tiny.tiny_language_model("Llama"), 2),
    ):
        settings = RecordingSettings(
            window=windows.window, max_tokens=None, batch_size=batch_size, keep=keep
        )
        workspace = Workspace(tmp_path / name)
        recordings.append(
            open_recording(workspace, record(workspace, model, windows, settings=settings))
        )
    assert max(sizes) > 2
    first, second = recordings
    np.testing.assert_allclose(first.std, second.std, rtol=1e-5)
    np.testing.assert_allclose(
        first.tokens["log_probability"], second.tokens["log_probability"], rtol=1e-5
    )


def test_a_gpu_is_filled_by_half_of_what_is_free_and_a_cpu_as_asked() -> None:
    assert fitting(10_000, 1_000, most=16) == 5
    assert fitting(10_000, 1_000, most=3) == 3
    assert fitting(10, 1_000, most=3) == 1
    assert windows_that_fit(tiny.tiny_language_model("Llama").model, 512, most=7) == 7
    config = SimpleNamespace(vocab_size=49152, intermediate_size=1536, hidden_size=576)
    half = bytes_per_token(config, torch.bfloat16)
    assert half > 2 * 49152 * 2  # logits, and once more for what is made of them
    assert bytes_per_token(config, torch.float32) == 2 * half
