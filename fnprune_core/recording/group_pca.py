"""From sessions to group components: linear algebra by session, memory of one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.sessions import Sessions, normalised
from fnprune_core.threads import eigen, gram, of_each, product

#: Products may round otherwise where a matrix begins elsewhere in a line of the cache.
_EVEN_VALUES = 16


def leading_rows(rows: Tensor, n: int) -> Tensor:
    """Reduce `rows` (r, units) to its n leading principal components, singular values kept.

    By the Gram matrix of the rows, O(r² · units): never an SVD with the units' dimension.
    """
    _, vectors = eigen(gram(rows).double().cpu())
    basis = vectors[:, -n:].flip(1).to(rows)
    return product(basis.T, rows)


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
    group_rows: list[Tensor | None] = [None] * len(blocks)
    index = [torch.from_numpy(block).to(device) for block in blocks]
    room = room_for(sessions, device)
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        progress(
            ProgressEvent(stage="pca", done=session, total=sessions.n_sessions, unit="sessions")
        )
        signals = wanted_rows(
            normalised(sessions, session, normalize=normalize, device=device, room=room),
            ~sessions.is_dummy[sessions.session_slice(session)],
        )

        def carry(block: int, signals: Tensor = signals) -> None:
            reduced = leading_rows(columns(signals, index[block]), m)
            previous = group_rows[block]
            stacked = reduced if previous is None else torch.cat([previous, reduced])
            group_rows[block] = (
                leading_rows(stacked, n_carried) if len(stacked) > n_carried else stacked
            )

        if len(signals):
            of_each(carry, range(len(blocks)), device=device)
    progress(
        ProgressEvent(
            stage="pca", done=sessions.n_sessions, total=sessions.n_sessions, unit="sessions"
        )
    )
    return [rows for rows in group_rows if rows is not None]


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
