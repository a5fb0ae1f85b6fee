"""From sessions to group components, and from maps to time courses: linear algebra by session."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.decomposition.threads import eigen, of_each, one_thread, product
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.sessions import Sessions, normalised

#: Products may round otherwise where a matrix begins elsewhere in a line of the cache.
_EVEN_VALUES = 16


def leading_rows(rows: Tensor, n: int) -> Tensor:
    """Reduce `rows` (r, units) to its n leading principal components, singular values kept.

    By the Gram matrix of the rows, O(r² · units): never an SVD with the units' dimension.
    """
    gram = product(rows, rows.T).double().cpu()
    _, vectors = eigen(gram)
    basis = vectors[:, -n:].flip(1).to(rows)
    return product(basis.T, rows)


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
    n_carried = max(4 * k, m)  # more than K, so that the order of sessions matters little
    group_rows: list[Tensor | None] = [None] * len(blocks)
    index = [torch.from_numpy(block).to(device) for block in blocks]
    room = _room(sessions, device)
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        progress(
            ProgressEvent(stage="pca", done=session, total=sessions.n_sessions, unit="sessions")
        )
        signals = _rows(
            normalised(sessions, session, normalize=normalize, device=device, room=room),
            ~sessions.is_dummy[sessions.session_slice(session)],
        )

        def carry(block: int, signals: Tensor = signals) -> None:
            reduced = leading_rows(_columns(signals, index[block]), m)
            previous = group_rows[block]
            stacked = reduced if previous is None else torch.cat([previous, reduced])
            group_rows[block] = (
                leading_rows(stacked, n_carried) if len(stacked) > n_carried else stacked
            )

        of_each(carry, range(len(blocks)), device=device)
    progress(
        ProgressEvent(
            stage="pca", done=sessions.n_sessions, total=sessions.n_sessions, unit="sessions"
        )
    )
    carried_rows = [rows for rows in group_rows if rows is not None]
    return of_each(lambda rows: leading_rows(rows, k), carried_rows, device=device)


def _room(sessions: Sessions, device: torch.device) -> Tensor:
    """Return memory for one session's signals after the other."""
    slices = [sessions.session_slice(i) for i in range(sessions.n_sessions)]
    longest = max(rows.stop - rows.start for rows in slices)
    return torch.empty(longest, sessions.layout.n_units, dtype=torch.float32, device=device)


def _rows(signals: Tensor, is_wanted: NDArray[np.bool_]) -> Tensor:
    """Return the wanted rows; without a copy where these are the last ones, evenly placed."""
    n_left_out = len(is_wanted) - int(is_wanted.sum())
    if is_wanted[n_left_out:].all() and n_left_out * signals.stride(0) % _EVEN_VALUES == 0:
        return signals[n_left_out:]
    return signals[torch.from_numpy(is_wanted).to(signals.device)]


def _columns(signals: Tensor, index: Tensor) -> Tensor:
    """Return some columns, ascending; without a copy where these are all."""
    return signals if len(index) == signals.shape[1] else signals[:, index]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeCourses:
    """Strength of each network at each token (K, tokens), and the variance that it explains."""

    strengths: NDArray[np.float32]
    variance_alone: NDArray[np.float64]
    variance_left_out: NDArray[np.float64]
    variance_explained: float


def time_courses(
    sessions: Sessions,
    blocks: list[NDArray[np.int64]],
    maps: list[NDArray[np.float32]],
    *,
    normalize: str,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> TimeCourses:
    """Return the least squares of each token's signals on [1, maps], by block."""
    index = [torch.from_numpy(block).to(device) for block in blocks]
    solvers = [solver.to(device) for solver in of_each(_solver, maps, device=device)]
    courses: list[list[Tensor]] = [[] for _ in blocks]
    cross = [
        torch.zeros(len(u), len(m), dtype=torch.float32, device=device)
        for u, m in zip(index, maps, strict=True)
    ]
    room = _room(sessions, device)
    total = 0.0
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        signals = normalised(sessions, session, normalize=normalize, device=device, room=room)
        is_usable = ~sessions.is_dummy[sessions.session_slice(session)]

        def add(
            block: int, signals: Tensor = signals, rows: NDArray[np.bool_] = is_usable
        ) -> float:
            x = _columns(signals, index[block])
            strengths = product(x, solvers[block])[:, 1:]
            courses[block].append(strengths.cpu())
            x = _rows(x, rows)
            x -= x.mean(dim=1, keepdim=True)  # nobody reads the signals again
            cross[block] += product(x.T, strengths[torch.from_numpy(rows).to(device)])
            # By rows first: a sum over everything would be split among the threads.
            return float(x.square_().sum(dim=1, dtype=torch.float64).cpu().numpy().sum())

        for squares in of_each(add, range(len(blocks)), device=device):
            total += squares
        progress(
            ProgressEvent(
                stage="time courses", done=session + 1, total=sessions.n_sessions, unit="sessions"
            )
        )
    courses_by_block = [torch.cat(block_courses) for block_courses in courses]
    usable = torch.from_numpy(~sessions.is_dummy)

    def shares_of(block: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        strengths = courses_by_block[block][usable].double().numpy()
        return _variance_shares(strengths, cross[block].double().cpu().numpy(), total)

    shares = of_each(shares_of, range(len(blocks)), device=device)
    return TimeCourses(
        strengths=torch.cat(courses_by_block, dim=1).T.contiguous().numpy(),
        variance_alone=np.concatenate([alone for alone, _, _ in shares]),
        variance_left_out=np.concatenate([left_out for _, left_out, _ in shares]),
        variance_explained=sum(explained for _, _, explained in shares),
    )


def _solver(maps: NDArray[np.float32]) -> Tensor:
    """Return the matrix (units, 1 + K) that takes signals to their least squares on [1, maps]."""
    design = np.vstack([np.ones(maps.shape[1]), maps.astype(np.float64)])
    with one_thread():
        solution = np.linalg.solve(design @ design.T, design)
    return torch.from_numpy(solution.T.astype(np.float32))


def _variance_shares(
    courses: NDArray[np.float64], products: NDArray[np.float64], total: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the shares of `total` that courses explain alone, when left out, and together.

    Parameters
    ----------
    courses : ndarray (tokens, K)
    products : ndarray (units, K)
        Signals times courses.
    """
    with one_thread():
        gram = courses.T @ courses
        inverse = np.linalg.pinv(gram)
        beta = products @ inverse
    alone = np.square(products).sum(axis=0) / np.diag(gram) / total
    left_out = np.square(beta).sum(axis=0) / np.diag(inverse) / total
    return alone, left_out, float((products * beta).sum()) / total
