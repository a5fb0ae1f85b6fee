"""Pages of files in memory: let go once they were read, so that a large file takes no memory."""

import mmap
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray


def release_pages(array: NDArray[np.generic], rows: slice = slice(None)) -> None:
    """Let go the pages of rows of an array mapped from a file; reading them again is right.

    The system keeps them as long as it has room, so that a second reading is quick. Does nothing
    for other arrays, or where a system cannot be told.
    """
    mapping = getattr(array, "_mmap", None)
    if not isinstance(mapping, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    first, last, _ = rows.indices(len(array))
    row_bytes = array.nbytes // max(len(array), 1)
    start = first * row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
    length = min(last * row_bytes, len(mapping)) - start
    if length > 0:
        with suppress(OSError, ValueError):
            mapping.madvise(mmap.MADV_DONTNEED, start, length)
