"""Linear algebra whose last bits do not depend on how many threads there are.

Libraries split long sums among threads, where and from which length on depends on the processor;
short sums they leave whole. So long ones are cut here, always at the same places, and each part is
summed by one thread. Factorisations differ too: they take little time, and one thread.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from fnprune_core.machine.blocks import SharedBlocks

#: Of torch's MKL sums of 512 terms came out whole, but for results of one or a few rows or columns;
#: those of 1,024 were split on some processors.
SHORT = 512
_NARROW = 64
_PART = 4096  # terms of a part, whose columns stay in the cache
_MOST_PARTS = 64
_BAND = 128  # rows of a symmetric result that are summed together
#: Held while workers begin: meanwhile torch counts one thread for all who ask it first.
_BEGINNING = threading.Lock()
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


@cache
def _controller() -> ThreadpoolController:
    """Return the control of the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


class _SharedLimit:
    """One thread for linear algebra while anybody asks for it.

    A limit is the process's: of two blocks at once the first sets it, and the last puts back what
    was before.
    """

    def __init__(self) -> None:
        self._limiter: Any = None
        self.blocks = SharedBlocks(self._set, self._put_back)

    def _set(self) -> None:
        self._limiter = _controller().limit(limits=1, user_api="blas")

    def _put_back(self) -> None:
        self._limiter.restore_original_limits()


_LIMIT = _SharedLimit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's and scipy's linear algebra inside the block run on one thread."""
    with _LIMIT.blocks.opened():
        yield


def of_each(
    function: Callable[[_Item], _Found],
    items: Sequence[_Item],
    *,
    device: torch.device,
    share: bool = True,
) -> list[_Found]:
    """Return what a function gives for each item, in their order.

    On the CPU as many items at a time as torch has threads, each on one thread: small matrices
    leave the others idle. The first error is raised, once the items that were begun have ended.

    Parameters
    ----------
    share : bool
        Whether a single item may have all threads. False where its last bits must not depend on
        how many there are.
    """
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, len(items))
    is_single = n_workers == 0 or n_threads == 1 or (n_workers == 1 and share)
    if is_single or device.type != "cpu":
        return [function(item) for item in items]
    all_begun = threading.Barrier(n_workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # torch sets a thread up when it is first asked; then it may change
        torch.set_num_threads(1)  # of this thread, and of all that begin from now on
        all_begun.wait()

    with ThreadPoolExecutor(n_workers, initializer=begin) as pool:
        # Each item finds no idle worker until all have begun, so all are there.
        with _BEGINNING:
            waiting = [pool.submit(function, item) for item in items]
            all_begun.wait()
            torch.set_num_threads(n_threads)
        try:
            return [each.result() for each in waiting]
        finally:
            for each in waiting:
                each.cancel()


def product(a: Tensor, b: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``a @ b``, in the memory `out` if it is given."""
    if a.device.type != "cpu":
        return torch.matmul(a, b, out=out)
    if a.shape[1] <= SHORT:
        if min(a.shape[0], b.shape[1]) >= _NARROW:
            return torch.matmul(a, b, out=out)
        with one_thread():
            found = torch.from_numpy(a.numpy() @ b.numpy())
        return found if out is None else out.copy_(found)

    def part(terms: slice) -> Tensor:
        # Others are added to the first.
        return torch.matmul(a[:, terms], b[terms], out=None if terms.start else out)

    return _sum_of_parts(part, a.shape[1], a.device)


def gram(rows: Tensor) -> Tensor:
    """Return ``rows @ rows.T``; on the CPU half of it is saved by symmetry."""
    n, n_terms = rows.shape
    if rows.device.type != "cpu" or n_terms <= SHORT:
        return rows @ rows.T

    def part(terms: slice) -> Tensor:
        columns = rows[:, terms]
        upper = rows.new_empty(n, n)
        for start in range(0, n, _BAND):
            band = slice(start, start + _BAND)
            upper[band, start:] = columns[band] @ columns[start:].T
        return upper

    whole = _sum_of_parts(part, n_terms, rows.device)
    for start in range(_BAND, n, _BAND):
        band = slice(start, start + _BAND)
        whole[band, :start] = whole[:start, band].T
    return whole


def _sum_of_parts(part: Callable[[slice], Tensor], n_terms: int, device: torch.device) -> Tensor:
    """Return the sum of parts, each of so many terms at most, in their order."""
    n_parts = min(max(-(-n_terms // _PART), 2), _MOST_PARTS)  # of one part, threads would share it
    ends = [n_terms * number // n_parts for number in range(n_parts + 1)]
    first, *others = of_each(part, [slice(*each) for each in pairwise(ends)], device=device)
    for other in others:
        first += other
    return first


def eigen(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    """Return ascending eigenvalues and eigenvectors of a symmetric matrix (n, n).

    On the CPU by numpy on one thread; on a GPU by torch. The largest entry of each vector is
    positive: libraries differ in signs, and an ICA run would start elsewhere.
    """
    if symmetric.device.type == "cpu":
        with one_thread():
            arrays = np.linalg.eigh(symmetric.numpy())
        values, vectors = (torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
    else:
        values, vectors = torch.linalg.eigh(symmetric)
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return values, vectors * torch.where(largest < 0, -1.0, 1.0).to(vectors)


def nearest_orthogonal(square: Tensor) -> Tensor:
    """Return the orthogonal matrix nearest to a square one (symmetric decorrelation)."""
    if square.device.type != "cpu":
        left, _, right = torch.linalg.svd(square)
        nearest: Tensor = left @ right
        return nearest
    with one_thread():
        left_array, _, right_array = np.linalg.svd(square.numpy())
        return torch.from_numpy(left_array @ right_array)
