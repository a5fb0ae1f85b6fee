"""From sessions to group components: linear algebra by session, memory of one."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.machine import workers
from fnprune_core.machine.threads import eigen, gram, of_each, product
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.sessions import Sessions, normalised

#: Products may round otherwise where a matrix begins elsewhere in a line of the cache.
_EVEN_VALUES = 16


def leading_rows(rows: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Reduce `rows` (r, units) to its n leading principal components, singular values kept.

    By the Gram matrix of the rows, O(r² · units): never an SVD with the units' dimension.

    Parameters
    ----------
    out : Tensor (n, units), optional
        Memory for the result.
    """
    _, vectors = eigen(gram(rows).double().cpu())
    basis = vectors[:, -n:].flip(1).to(rows)
    return product(basis.T, rows, out=out)


def sizes_for(k: int, fewest_tokens: int, *, asked: int | None = None) -> tuple[int, int]:
    """Return how many components of a session are kept for K networks, and how many carried on.

    Parameters
    ----------
    fewest_tokens : int
        Usable tokens of the shortest session.
    asked : int, optional
        Components of a session that a person asks for, instead of 2 K.
    """
    m = asked if asked is not None else min(2 * k, fewest_tokens)
    return m, max(4 * k, m)  # more than K, so that the order of sessions matters little


def group_pca(
    sessions: Sessions,
    blocks: list[NDArray[np.int64]],
    *,
    n_components: tuple[int, int],
    normalize: str,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> list[Tensor]:
    """Return K group components (K, units of the block) of each block (MIGP, Smith 2014)."""
    m, k = n_components
    rows = carried_rows(
        sessions, blocks, n_components=sizes_for(k, m, asked=m), normalize=normalize,
        device=device, progress=progress, cancel=cancel,
    )  # fmt: skip
    return of_each(lambda block_rows: leading_rows(block_rows, k), rows, device=device)


def carried_rows(
    sessions: Sessions,
    blocks: list[NDArray[np.int64]],
    *,
    n_components: tuple[int, int],
    normalize: str,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> list[Tensor]:
    """Return what is carried from session to session, once all are in: (n, units) of each block.

    Parameters
    ----------
    n_components : tuple of int
        Components kept of each session, and carried on.
    """
    m, n_carried = n_components
    asked = _Reduction(sessions, blocks, m, normalize, device)
    carried = [_Carried(len(units), n_carried, m, device) for units in blocks]

    def told(done: int) -> None:
        cancel.raise_if_cancelled()
        total = sessions.n_sessions
        progress(ProgressEvent(stage="pca", done=done, total=total, unit="sessions"))

    told(0)
    for session, rows in enumerate(asked.of_sessions(cancel)):

        def carry(block: int, rows: list[Tensor] = rows) -> None:
            carried[block].add(rows[block])

        if rows:
            of_each(carry, range(len(blocks)), device=device)
        told(session + 1)
    return [each.rows() for each in carried if each.n_rows]


class _Carried:
    """What is carried of one block from session to session, in two buffers by turns."""

    def __init__(self, n_units: int, n_carried: int, m: int, device: torch.device) -> None:
        self.n_rows, self._n_carried = 0, n_carried
        self._rows, self._next = (
            torch.empty(n_carried + m, n_units, dtype=torch.float32, device=device)
            for _ in range(2)
        )

    def add(self, reduced: Tensor) -> None:
        """Take in the components of a session, (m, units)."""
        stop = self.n_rows + len(reduced)
        self._rows[self.n_rows : stop].copy_(reduced)
        if stop > self._n_carried:
            leading_rows(self._rows[:stop], self._n_carried, out=self._next[: self._n_carried])
            self._rows, self._next = self._next, self._rows
        self.n_rows = min(stop, self._n_carried)

    def rows(self) -> Tensor:
        """Return what is carried, (n, units)."""
        return self._rows[: self.n_rows]


class _Reduction:
    """Reduces sessions to their leading components, each by itself.

    Parameters
    ----------
    sessions : Sessions
    blocks : list of ndarray
        Units that are reduced together.
    m : int
        Components kept of each session.
    normalize : str
    device : torch.device
    """

    def __init__(
        self,
        sessions: Sessions,
        blocks: list[NDArray[np.int64]],
        m: int,
        normalize: str,
        device: torch.device,
    ) -> None:
        self.sessions, self.m, self.normalize, self.device = sessions, m, normalize, device
        self._index = [torch.from_numpy(block).to(device) for block in blocks]

    def of_sessions(self, cancel: CancelToken) -> Iterator[list[Tensor]]:
        """Yield the rows of each session by block, (m, units) each; none if no token is usable.

        Workers take a share of a recording's, which they find on the disk; what is in memory, or
        is read only now, stays in this process.
        """
        numbers = range(self.sessions.n_sessions)
        if workers.is_spread() and self.sessions.id:
            yield from workers.in_order(self.of_session, numbers, cancel=cancel)
            return
        room = room_for(self.sessions, self.device)
        for session in numbers:
            yield self.of_session(session, room=room)

    def of_session(self, session: int, *, room: Tensor | None = None) -> list[Tensor]:
        """Return the rows of a session by block."""
        signals = wanted_rows(
            normalised(
                self.sessions, session, normalize=self.normalize, device=self.device, room=room
            ),
            ~self.sessions.is_dummy[self.sessions.session_slice(session)],
        )
        if not len(signals):
            return []
        return of_each(
            lambda units: leading_rows(columns(signals, units), self.m),
            self._index,
            device=self.device,
        )


def room_for(sessions: Sessions, device: torch.device) -> Tensor:
    """Return memory for one session's signals after the other."""
    slices = [sessions.session_slice(i) for i in range(sessions.n_sessions)]
    longest = max(rows.stop - rows.start for rows in slices)
    return torch.empty(longest, sessions.layout.n_units, dtype=torch.float32, device=device)


def wanted_rows(signals: Tensor, is_wanted: NDArray[np.bool_]) -> Tensor:
    """Return the wanted rows; without a copy where these are the last ones, evenly placed."""
    n_left_out = len(is_wanted) - int(is_wanted.sum())
    if is_wanted[n_left_out:].all() and n_left_out * signals.stride(0) % _EVEN_VALUES == 0:
        return signals[n_left_out:]
    return signals[torch.from_numpy(is_wanted).to(signals.device)]


def columns(signals: Tensor, index: Tensor) -> Tensor:
    """Return some columns, ascending; without a copy where these are all."""
    return signals if len(index) == signals.shape[1] else signals[:, index]
