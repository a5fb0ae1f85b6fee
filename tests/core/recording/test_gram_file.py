"""Gram matrices in a file are the sums they should be, however many sessions come at a time."""

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.recording import gram_file, reducing
from fnprune_core.recording.gram_file import GramFile, GramSums, n_stored
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.checksums import file_sums
from fnprune_core.storage.workspace import Workspace

WIDTHS = (5, 24, 1, 17)
LENGTHS = (32, 32, 30, 32, 28, 32, 32, 2)  # the last session holds dummy tokens alone
UNIT_BYTES = 4 * 144


def whole(file: GramFile, layer: int, width: int) -> np.ndarray:
    """Return a layer's matrix from its blocks; what no block holds is NaN."""
    matrix = np.full((width, width), np.nan)
    for rows, values in file.blocks(layer):
        matrix[rows, rows.start :] = values
        matrix[rows.start :, rows] = values.T
    return matrix


@pytest.mark.parametrize("rows", [1, 7, 24, 512])
def test_sums_are_those_of_all_tokens_at_once(tmp_path, monkeypatch, rows) -> None:
    """Beginning again on what an earlier try left."""
    monkeypatch.setattr(gram_file, "ROWS", rows)
    path = tmp_path / "gram"
    path.write_bytes(b"left by an earlier try" * 1000)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, sum(WIDTHS), generator=generator, dtype=torch.float32)
    by_layer = torch.split(x, WIDTHS, dim=1)
    sums = GramSums(path, WIDTHS)
    for tokens in (slice(0, 0), slice(0, 13), slice(13, 40)):
        for layer, part in enumerate(by_layer):
            sums.add(layer, part[tokens])
    assert path.stat().st_size == 4 * n_stored(WIDTHS)
    file = GramFile(path, {"files": {path.name: file_sums(path)}}, WIDTHS)
    for layer, part in enumerate(by_layer):
        exact = (part.double().T @ part.double()).numpy()
        np.testing.assert_allclose(whole(file, layer, WIDTHS[layer]), exact, atol=2e-5)


def test_half_of_the_matrices_is_stored() -> None:
    assert n_stored([11008]) < 0.53 * 11008**2


def test_the_room_changes_how_often_the_file_is_read_and_nothing_else(tmp_path, llama, monkeypatch):
    """Sessions are gathered to at most 1 token, so by ones, to 64, and to more than there are."""
    settings = RecordingSettings(window=32, n_dummy_tokens=2, keep="summary", most_networks=4)
    windows = tiny.toy_windows(LENGTHS)
    add, layers = GramSums.add, []

    def counted(sums: GramSums, layer: int, x: torch.Tensor) -> None:
        layers.append((layer, len(x)))
        add(sums, layer, x)

    monkeypatch.setattr(GramSums, "add", counted)
    found = {}
    for n_tokens, n_usable in {
        1: [30, 30, 28, 30, 26, 30, 30, 0],
        64: [60, 58, 56, 30],
        10**6: [204],
    }.items():
        monkeypatch.setattr(reducing, "GATHERED_BYTES", n_tokens * UNIT_BYTES)
        layers.clear()
        workspace = Workspace(tmp_path / str(n_tokens))
        recording = open_recording(workspace, record(workspace, llama, windows, settings=settings))
        assert layers == [(layer, n) for n in n_usable for layer in range(3)]
        found[n_tokens] = [recording.weighted_gram(i, np.ones(windows.n_tokens)) for i in range(3)]
        found[n_tokens].append((recording.summary.projections, recording.summary.products))
    for n_tokens in (1, 64):
        for one, other in zip(found[n_tokens], found[10**6], strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * np.abs(b).max())
