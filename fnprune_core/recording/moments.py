"""Moments of each unit in each session, and those of the whole recording that follow from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.pages import release_pages
from fnprune_core.texts.windows import Windows


class SessionMoments:
    """What is known of some windows and units without the signals.

    Parameters
    ----------
    windows : Windows
    layout : UnitLayout
    per_session : mapping of str to ndarray (n_sessions, n_units)
        By the names of `reading.PER_SESSION`.

    Attributes
    ----------
    is_dummy : ndarray (n_tokens,)
        Which tokens statistics leave out.
    mean, std : ndarray (n_units,)
        Over all tokens that are not dummy, float32.
    dummy_max : ndarray (n_units,)
        Largest |activation| on dummy tokens.
    scales : ndarray (n_sessions, n_units)
        What stored signals are multiplied by.
    """

    def __init__(
        self, windows: Windows, layout: UnitLayout, per_session: Mapping[str, NDArray[Any]]
    ) -> None:
        self.windows, self.layout = windows, layout
        self.is_dummy: NDArray[np.bool_] = windows.is_dummy
        self.scales = per_session["scales"]
        self._session_mean, self._session_m2 = (
            per_session["session_mean"], per_session["session_m2"]
        )  # fmt: skip
        self.dummy_max: NDArray[np.float32] = np.asarray(per_session["dummy_max"]).max(axis=0)
        release_pages(per_session["dummy_max"])
        self.mean, self.std = self._merged_moments()

    @property
    def n_sessions(self) -> int:
        """Number of sessions."""
        return self.windows.n_windows

    @property
    def n_tokens(self) -> int:
        """Number of tokens, dummy ones included."""
        return self.windows.n_tokens

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Units that vary, (n_units,): standard deviation above 1e-6 of their layer's median."""
        return alive_units(self.std, self.layout)

    def session_slice(self, session: int) -> slice:
        """Return the slice of tokens that belongs to `session`."""
        return slice(int(self.windows.starts[session]), int(self.windows.starts[session + 1]))

    def session_moments(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation over a session's usable tokens: (n_units,) each."""
        n_usable = int((~self.is_dummy[self.session_slice(session)]).sum())
        std = np.sqrt(np.asarray(self._session_m2[session]) / max(n_usable, 1))
        return np.array(self._session_mean[session]), std.astype(np.float32)

    def _merged_moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Merge the sessions' moments one by one (Chan's update): memory of one session."""
        usable = np.bincount(self.windows.session, weights=~self.is_dummy)
        mean = np.zeros(self.layout.n_units)
        squares = np.zeros(self.layout.n_units)
        for session in np.flatnonzero(usable):
            n_before, n_here = usable[:session].sum(), usable[session]
            change = self._session_mean[session] - mean
            mean += change * (n_here / (n_before + n_here))
            squares += self._session_m2[session]
            squares += np.square(change) * (n_before * n_here / (n_before + n_here))
            for values in (self._session_mean, self._session_m2):
                release_pages(values, slice(session, session + 1))
        return mean.astype(np.float32), np.sqrt(squares / usable.sum()).astype(np.float32)


def alive_units(std: NDArray[np.float32], layout: UnitLayout) -> NDArray[np.bool_]:
    """Return the units whose standard deviation is above 1e-6 of their layer's median."""
    return np.concatenate(
        [
            layer_std > 1e-6 * max(float(np.median(layer_std)), 1e-30)
            for layer_std in layout.split(std)
        ]
    )


def open_array(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a file of a recording as a read-only map; raises where its size is another."""
    expected = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    actual = path.stat().st_size if path.is_file() else -1
    if actual != expected:
        raise CorruptArtifactError(
            f"{path} has {actual} bytes, expected {expected}: the recording is damaged.",
            hint="Delete it with `fnprune workspace delete` and record again.",
        )
    if not expected:  # nothing can be mapped of an empty file
        return np.zeros(shape, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=shape)
