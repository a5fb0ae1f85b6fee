"""Small linear algebra on one thread, so that its last bits do not depend on how many there are.

Wide products of matrices come out the same on any number of threads, for their result is what is
split; in narrow ones the sums are, and factorisations differ too. They take little time here.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

# Measured with torch's MKL: results of 48 rows and columns and more are split between them, those
# of fewer also along the sum.
_NARROW = 64
# A limit is the process's: two blocks at once would each put back what the other has set.
_LOCK = threading.RLock()


@cache
def _controller() -> ThreadpoolController:
    """Return the control of the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's and scipy's linear algebra inside the block run on one thread."""
    with _LOCK, _controller().limit(limits=1, user_api="blas"):
        yield


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a @ b``; on the CPU a narrow result, where sums are split, by one thread."""
    if a.device.type != "cpu" or min(a.shape[0], b.shape[1]) >= _NARROW:
        return a @ b
    with one_thread():
        return torch.from_numpy(a.numpy() @ b.numpy())


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
