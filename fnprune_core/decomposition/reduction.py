"""From maps to time courses: linear algebra by session."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.machine.threads import of_each, one_thread, product
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.group_pca import columns, room_for, wanted_rows
from fnprune_core.recording.sessions import Sessions, normalised
from fnprune_core.recording.summary import Summary


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
    solvers = [solver.to(device) for solver in of_each(solver, maps, device=device)]
    courses: list[list[Tensor]] = [[] for _ in blocks]
    cross = [
        torch.zeros(len(u), len(m), dtype=torch.float32, device=device)
        for u, m in zip(index, maps, strict=True)
    ]
    room = room_for(sessions, device)
    total = 0.0
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        signals = normalised(sessions, session, normalize=normalize, device=device, room=room)
        is_usable = ~sessions.is_dummy[sessions.session_slice(session)]

        def add(
            block: int, signals: Tensor = signals, rows: NDArray[np.bool_] = is_usable
        ) -> float:
            x = columns(signals, index[block])
            strengths = product(x, solvers[block])[:, 1:]
            courses[block].append(strengths.cpu())
            x, of_usable = wanted_rows(x, rows), strengths[torch.from_numpy(rows).to(device)]
            means = x.mean(dim=1)
            cross[block] += product(x.T, of_usable) - means @ of_usable
            # By rows first: a sum over everything would be split among the threads.
            norms = torch.linalg.vector_norm(x, dim=1).double()
            squares = norms.square() - x.shape[1] * means.double().square()
            return float(squares.cpu().numpy().sum())

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


def time_courses_of_summary(summary: Summary, maps: NDArray[np.float32]) -> TimeCourses:
    """Return what `time_courses` gives, from the components that a summary keeps.

    Maps are mixtures of these and of the constant, and so is what takes signals to their least
    squares: what the signals were beyond the components changes no strength.
    """
    n_units = maps.shape[1]
    wanted = np.column_stack([np.full(n_units, 1 / n_units), solver(maps).numpy()[:, 1:]])
    basis = summary.basis.astype(np.float64)
    with one_thread():
        mixture = np.linalg.solve(basis @ basis.T, basis @ wanted)
    found = summary.projections @ mixture  # each token's mean over units, and its strengths
    usable = found[summary.is_usable]
    means, strengths = usable[:, 0], usable[:, 1:]
    cross = summary.products.T @ mixture[:, 1:] - means @ strengths
    total = n_units * (len(usable) - np.square(means).sum())  # units have variance 1
    alone, left_out, explained = _variance_shares(strengths, cross, total)
    return TimeCourses(
        strengths=np.ascontiguousarray(found[:, 1:].T, dtype=np.float32),
        variance_alone=alone,
        variance_left_out=left_out,
        variance_explained=explained,
    )


def solver(maps: NDArray[np.float32]) -> Tensor:
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
