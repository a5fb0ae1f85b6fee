"""Writes of many bytes, past the system's cache where it can be done.

What goes through the cache is copied there by a processor, and waits there for the disk. A disk
takes it from a program's memory by itself, if memory, place in the file and length are whole pages.
"""

import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = 4096
#: Memory that processes might share has no large pages, and takes nine times as long to get.
_OWN = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux
#: A file system that cannot do it, or asks for larger pages.
_REFUSED = (errno.EINVAL, errno.EOPNOTSUPP)


def page_aligned(n_bytes: int) -> NDArray[np.uint8]:
    """Return memory of at least one byte that begins with a page: (n_bytes,)."""
    try:
        memory = mmap.mmap(-1, max(n_bytes, 1), **_OWN)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"{n_bytes:,} bytes are not to be had.") from error
        raise
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a wish: some kernels have no large pages
            memory.madvise(mmap.MADV_HUGEPAGE)  # fresh pages take longer to get than to fill
    return np.frombuffer(memory, dtype=np.uint8)[:n_bytes]


def write_at(path: Path, values: NDArray[np.generic], offset_bytes: int) -> None:
    """Write an array into a file that exists.

    Ordinary or direct writes, never a map of the file: a full disk is an error then, and no
    signal that ends the process.
    """
    values = np.ascontiguousarray(values)
    is_even = not (values.ctypes.data % PAGE or offset_bytes % PAGE or values.nbytes % PAGE)
    if _DIRECT and is_even and values.nbytes:
        try:
            _write(path, values, offset_bytes, _DIRECT)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
        else:
            return
    _write(path, values, offset_bytes, 0)


def _write(path: Path, values: NDArray[np.generic], offset_bytes: int, flags: int) -> None:
    left = values.reshape(-1).view(np.uint8)
    descriptor = os.open(path, os.O_WRONLY | flags)
    try:
        while len(left):
            n_written = os.pwrite(descriptor, left.data, offset_bytes)
            left, offset_bytes = left[n_written:], offset_bytes + n_written
    finally:
        os.close(descriptor)
