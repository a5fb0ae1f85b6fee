"""The files of a recording as it grows, written by a thread while the model reads on."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.reading import PER_SESSION, ReadWindows
from fnprune_core.recording.summary import DUMMY
from fnprune_core.storage.checksums import RunningSums
from fnprune_core.storage.folders import sync
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.large_writes import write_at
from fnprune_core.texts.windows import Windows

SIGNALS = "signals.f16"
LOG_P = "log_probabilities.f4"
EXPERT_TOKENS = "expert_tokens.i4"
PROGRESS = "progress.json"
_COMMIT_S = 2.0  # a kill loses what was read since then; syncing more often waits for the disk


class Writer:
    """Appends sessions to flat files.

    Leaving the block waits for the thread and makes safe all that was written, whatever ended it.

    Parameters
    ----------
    keep : {"all", "summary"}
        All signals, or those of dummy tokens alone.

    Attributes
    ----------
    n_done : int
        So many sessions, the first ones, are whole and safe on the disk.
    """

    def __init__(
        self, folder: Path, windows: Windows, layout: UnitLayout, *, keep: str = "all"
    ) -> None:
        self.folder, self.windows, self.layout, self._keep = folder, windows, layout, keep
        progress = folder / PROGRESS
        self.n_done = int(read_checked_json(progress)["n_done"]) if progress.is_file() else 0
        names = [
            SIGNALS if keep == "all" else DUMMY,
            LOG_P,
            *([EXPERT_TOKENS] if layout.expert_sizes else []),
            *(f"{n}.{code}" for n, code in PER_SESSION.items()),
        ]
        self._paths = [folder / name for name in names]
        for path in self._paths:
            path.touch()
        self._signal_sums, self._is_from_start = RunningSums(), not self.n_done
        self._n_written, self._committed_at = self.n_done, time.monotonic()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording-writer")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._wait()
        finally:
            self._thread.shutdown()
            if self._n_written > self.n_done:
                self._commit()

    def add(self, sessions: range, read: ReadWindows) -> None:
        """Store neighbouring sessions; what was added before is written when this returns.

        Raises
        ------
        OSError
            If the sessions before could not be written.
        """
        self._wait()
        self._pending = self._thread.submit(self._store, sessions, read)

    def log_probabilities(self) -> NDArray[np.float32]:
        """Return the log-probability of each token."""
        return np.fromfile(self.folder / LOG_P, dtype=np.float32)

    def expert_shares(self) -> list[list[float]]:
        """Return the share of all tokens that each expert saw, by layer; empty without experts."""
        if not self.layout.expert_sizes:
            return []
        ends = np.cumsum([len(sizes) for sizes in self.layout.expert_sizes])
        counts = np.fromfile(self.folder / EXPERT_TOKENS, dtype=np.int32).reshape(-1, ends[-1])
        shares = counts.sum(axis=0) / self.windows.n_tokens
        return [layer.tolist() for layer in np.split(shares, ends[:-1])]

    def sums(self) -> dict[str, dict[str, Any]]:
        """Return the checksums of files that were written from their start, by name."""
        if self._keep != "all" or not self._is_from_start:
            return {}
        return {SIGNALS: self._signal_sums.sums()}

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _store(self, sessions: range, read: ReadWindows) -> None:
        start = int(self.windows.starts[sessions.start])
        if self._keep == "all":
            self._write(SIGNALS, read.signals, 2 * self.layout.n_units * start)
            self._signal_sums.add(read.signals)
        else:
            self._write_dummies(sessions, read)
        self._write(LOG_P, read.log_probabilities, 4 * start)
        if self.layout.expert_sizes:
            offset = read.expert_tokens.itemsize * read.expert_tokens.shape[1] * sessions.start
            self._write(EXPERT_TOKENS, read.expert_tokens, offset)
        for name, code in PER_SESSION.items():
            size = np.dtype(code).itemsize * self.layout.n_units
            self._write(f"{name}.{code}", read.per_session[name], size * sessions.start)
        self._n_written = sessions.stop
        if time.monotonic() - self._committed_at > _COMMIT_S:
            self._commit()

    def _write_dummies(self, sessions: range, read: ReadWindows) -> None:
        """Store the first tokens of each window, which statistics leave out."""
        n_before = int(self.windows.is_dummy[: self.windows.starts[sessions.start]].sum())
        by_window = read.signals.reshape(len(sessions), -1, self.layout.n_units)
        dummies = by_window[:, : self.windows.n_dummy_tokens]
        self._write(DUMMY, dummies, 2 * self.layout.n_units * n_before)

    def _write(self, name: str, values: NDArray[Any], offset_bytes: int) -> None:
        write_at(self.folder / name, values, offset_bytes)

    def _commit(self) -> None:
        """Record that all sessions written so far are whole, once they are safe on the disk."""
        for path in self._paths:
            sync(path)
        self.n_done = self._n_written
        write_checked_json(self.folder / PROGRESS, {"n_done": self.n_done})
        self._committed_at = time.monotonic()
