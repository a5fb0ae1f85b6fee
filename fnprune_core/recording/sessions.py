"""Sessions of signals, as a decomposition reads them: from a recording or from memory."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.errors import SettingsError
from fnprune_core.machine.threads import of_each
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.finite import check_finite
from fnprune_core.recording.moments import alive_units

_PART = re.compile(r", part \d+$")
_CACHED_VALUES = 1 << 18
_PORTIONS = 16  # of a session, so that no thread waits long for the last
_Found = TypeVar("_Found")


@runtime_checkable
class Sessions(Protocol):
    """Sessions of signals for `GroupICA`: a `Recording`, or arrays in memory (`ArraySessions`)."""

    id: str
    fingerprint: str

    @property
    def layout(self) -> UnitLayout: ...  # noqa: D102
    @property
    def n_sessions(self) -> int: ...  # noqa: D102
    @property
    def n_tokens(self) -> int: ...  # noqa: D102
    @property
    def is_dummy(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def alive(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def mean(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def std(self) -> NDArray[np.float32]: ...  # noqa: D102
    def session_slice(self, session: int, /) -> slice: ...  # noqa: D102
    def session(self, session: int, /) -> NDArray[np.float32]: ...  # noqa: D102
    def session_moments(  # noqa: D102
        self, session: int, /
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSession:
    """A session's signals as they are stored.

    Parameters
    ----------
    values : ndarray (tokens, units)
        float16 or float32.
    scales : ndarray of float32 (units,), optional
        What they are multiplied by.
    """

    values: NDArray[np.floating]
    scales: NDArray[np.float32] | None = None

    def widen(self, tokens: slice, signals: Tensor) -> Tensor:
        """Write some tokens' signals into float32 memory, (tokens, units), and return it."""
        # A copy, for torch wants memory that could be written to: of a few tokens it stays cached.
        signals.copy_(torch.from_numpy(self.values[tokens].copy()))
        if self.scales is not None:
            signals.mul_(torch.from_numpy(self.scales).to(signals.device))
        return signals

    def signals(self) -> NDArray[np.float32]:
        """Return all of its signals: (tokens, units)."""
        signals = torch.empty(self.values.shape, dtype=torch.float32)
        of_rows(lambda tokens: self.widen(tokens, signals[tokens]), signals)
        result: NDArray[np.float32] = signals.numpy()
        return result


@runtime_checkable
class HoldsStored(Protocol):
    """Sessions that can be read as they are stored, in half the memory."""

    def stored(self, session: int, /) -> AbstractContextManager[StoredSession]: ...  # noqa: D102


@contextmanager
def _stored(sessions: Sessions, session: int) -> Iterator[StoredSession]:
    """Hand out a session as it is stored, or its signals where these are all there is."""
    if isinstance(sessions, HoldsStored):
        with sessions.stored(session) as stored:
            yield stored
    else:
        yield StoredSession(values=sessions.session(session))


class ArraySessions:
    """Signals in memory, in the shape that `GroupICA` reads.

    Parameters
    ----------
    signals : sequence of ndarray (tokens, units)
        One array a session.
    layout : UnitLayout, optional
        One layer of all units if not given.
    """

    id = ""
    fingerprint = ""

    def __init__(
        self, signals: Sequence[NDArray[np.floating]], *, layout: UnitLayout | None = None
    ) -> None:
        if not signals or any(x.ndim != 2 or x.shape[1] != signals[0].shape[1] for x in signals):
            raise SettingsError(
                "Sessions must be arrays of shape (tokens, units) with the same units, got "
                f"shapes {[x.shape for x in signals]}."
            )
        self._signals = [np.asarray(x, dtype=np.float32) for x in signals]
        self.layout = layout or UnitLayout((signals[0].shape[1],))
        for session, x in enumerate(self._signals):
            check_finite(x, self.layout, session)
        self._starts = np.cumsum([0, *(len(x) for x in signals)])
        self.n_sessions = len(signals)
        self.n_tokens = int(self._starts[-1])
        self.is_dummy = np.zeros(self.n_tokens, dtype=bool)
        all_signals = np.concatenate(self._signals)
        self.mean: NDArray[np.float32] = all_signals.mean(axis=0)
        self.std: NDArray[np.float32] = all_signals.std(axis=0)
        self.alive = alive_units(self.std, self.layout)

    def session_slice(self, session: int) -> slice:
        """Return the slice of tokens that belongs to `session`."""
        return slice(int(self._starts[session]), int(self._starts[session + 1]))

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session: (tokens, units)."""
        return self._signals[session]

    def session_moments(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation of a session: (units,) each."""
        x = self._signals[session]
        return x.mean(axis=0), x.std(axis=0)


def document_codes(tokens: pd.DataFrame) -> NDArray[np.int64]:
    """Return the document of each token as a number, in the order of first tokens: (n_tokens,).

    A text whose name ends in ", part 2" was cut from a longer one, and is one document with the
    other parts: they say much the same, and are no independent observations. Documents of two
    domains are two, whatever their names.

    Parameters
    ----------
    tokens : DataFrame
        With the columns document and domain, as in a recording's token table.
    """
    name_code, document_names = pd.factorize(tokens["document"])
    text_of_name = pd.factorize(np.array([_PART.sub("", str(name)) for name in document_names]))[0]
    domain = pd.factorize(tokens["domain"])[0]
    return np.asarray(
        pd.factorize(domain * len(document_names) + text_of_name[name_code])[0], dtype=np.int64
    )


def blocks_of(sessions: Sessions, scope: str) -> list[NDArray[np.int64]]:
    """Return the alive units that are decomposed together: all, or those of each layer."""
    alive = np.flatnonzero(sessions.alive)
    if scope == "model":
        return [alive]
    return [
        alive[(alive >= layer_units.start) & (alive < layer_units.stop)]
        for layer_units in (sessions.layout.layer_slice(i) for i in range(sessions.layout.n_layers))
    ]


def runs_of_sessions(sessions: Sessions, most_tokens: int) -> list[range]:
    """Return neighbouring sessions in runs of at most so many tokens, but one at least."""
    places = [sessions.session_slice(i) for i in range(sessions.n_sessions)]
    runs, first = [], 0
    for session, place in enumerate(places):
        if session > first and place.stop - places[first].start > most_tokens:
            runs.append(range(first, session))
            first = session
    return [*runs, range(first, len(places))]


def normalised(
    sessions: Sessions,
    session: int,
    *,
    normalize: str,
    device: torch.device,
    room: Tensor | None = None,
) -> Tensor:
    """Return a session's signals centred and scaled, (tokens, units), dead units at 0.

    Parameters
    ----------
    room : Tensor (longest session, units), optional
        Memory for the result, used again for each session: fresh pages take longer to get than
        to fill.
    """
    if normalize == "session":
        mean, std = sessions.session_moments(session)
    else:
        mean, std = sessions.mean, sessions.std
    scale = np.where(sessions.alive & (std > 0), std, np.inf).astype(np.float32)
    centre, scale_there = (
        torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in (mean, scale)
    )
    with _stored(sessions, session) as stored:
        shape = stored.values.shape
        z = (
            torch.empty(shape, dtype=torch.float32, device=device)
            if room is None
            else room[: shape[0]]
        )

        def fill(rows: slice) -> bool:
            part = stored.widen(rows, z[rows]).sub_(centre).div_(scale_there)
            return bool(part.sum().isfinite())

        is_finite = all(of_rows(fill, z))
    if not is_finite:
        check_finite(sessions.session(session), sessions.layout, session)
    return z


def of_rows(function: Callable[[slice], _Found], x: Tensor) -> list[_Found]:
    """Return what a function gives for parts of a matrix's rows, which stay in the cache.

    On the CPU each of torch's threads does some of them one after the other, by itself: steps so
    small are shorter than what it takes several threads to wait for one another.
    """
    if x.device.type != "cpu":
        return [function(slice(0, len(x)))]
    step = max(1, _CACHED_VALUES // max(x.shape[1], 1))
    parts = [slice(start, min(start + step, len(x))) for start in range(0, len(x), step)]
    together = max(1, -(-len(parts) // _PORTIONS))
    portions = [parts[start : start + together] for start in range(0, len(parts), together)]

    def work(portion: list[slice]) -> list[_Found]:
        return [function(rows) for rows in portion]

    return [found for each in of_each(work, portions, device=x.device) for found in each]
