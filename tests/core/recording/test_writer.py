"""Sessions are safe on the disk while the model reads on (stops and full disks: test_record)."""

import numpy as np
import tiny
import torch

from fnprune_core.recording import writer as writer_module
from fnprune_core.recording.reading import Reader
from fnprune_core.recording.writer import PROGRESS, SIGNALS, Writer
from fnprune_core.storage.json_files import read_checked_json
from fnprune_core.texts.windows import stacked_ids


def test_what_was_written_counts_as_done_before_the_end(tmp_path, llama, monkeypatch) -> None:
    """Else a kill would lose all; and no sooner than it is whole."""
    monkeypatch.setattr(writer_module, "_COMMIT_S", 0.0)
    windows = tiny.toy_windows()
    reader = Reader(llama, n_dummy_tokens=2)
    signals = []
    with Writer(tmp_path, windows, llama.layout) as writer:
        for batch in (range(0, 2), range(2, 4), range(4, 6)):
            read = reader.read(stacked_ids(windows, batch))
            signals.append(read.signals.copy())
            writer.add(batch, read)
            if batch.start:
                assert read_checked_json(tmp_path / PROGRESS)["n_done"] >= batch.start
    assert writer.n_done == 6
    stored = np.fromfile(tmp_path / SIGNALS, dtype=np.float16)
    np.testing.assert_array_equal(stored, np.concatenate(signals).ravel())


def test_a_second_writer_goes_on_behind_the_first(tmp_path, llama) -> None:
    windows = tiny.toy_windows()
    reader = Reader(llama, n_dummy_tokens=2)
    for batch in (range(0, 3), range(3, 4)):
        with Writer(tmp_path, windows, llama.layout) as writer:
            assert writer.n_done == batch.start
            writer.add(batch, reader.read(stacked_ids(windows, batch)))
    log_p = torch.from_numpy(writer.log_probabilities()).reshape(4, -1)
    assert log_p[:, 0].isnan().all()
    assert (log_p[:, 1:] < 0).all()
