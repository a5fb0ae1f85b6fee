"""Large writes, with and without the system's cache, and checksums taken as they are made."""

import errno
import os

import numpy as np
import pytest

from fnprune_core.storage import large_writes
from fnprune_core.storage.checksums import BLOCK, RunningSums, file_sums
from fnprune_core.storage.large_writes import PAGE, page_aligned, write_at


def pages(n: int, seed: int = 0) -> np.ndarray:
    memory = page_aligned(n * PAGE)
    memory[:] = np.random.default_rng(seed).integers(0, 256, n * PAGE)
    return memory


@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize("offset", [0, 2 * PAGE, 10])
def test_bytes_land_where_they_belong(tmp_path, monkeypatch, offset, is_refused) -> None:
    """Also on file systems that refuse direct writes, and beside what was written before."""
    path, values, calls = tmp_path / "file", pages(3), []
    path.write_bytes(bytes([7]) * (8 * PAGE))
    plain = os.open

    def opened(name, flags):
        calls.append(flags & large_writes._DIRECT)
        if is_refused and calls[-1]:
            raise OSError(errno.EINVAL, "no direct writes here")
        return plain(name, flags)

    monkeypatch.setattr(large_writes.os, "open", opened)
    write_at(path, values, offset)
    monkeypatch.undo()
    found = np.fromfile(path, dtype=np.uint8)
    assert len(found) == 8 * PAGE
    np.testing.assert_array_equal(found[offset : offset + len(values)], values)
    assert (np.delete(found, slice(offset, offset + len(values))) == 7).all()
    assert bool(calls[0]) == (offset % PAGE == 0)


def test_a_full_disk_is_an_error(tmp_path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.touch()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(large_writes.os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        write_at(path, pages(1), 0)


@pytest.mark.parametrize("sizes", [(10, BLOCK, 3), (2 * BLOCK, BLOCK), (0, 5), ()])
def test_sums_taken_while_writing_are_those_of_the_file(tmp_path, sizes) -> None:
    path, sums = tmp_path / "file", RunningSums()
    path.touch()
    rng, offset = np.random.default_rng(0), 0
    for size in sizes:
        values = rng.integers(0, 256, size, dtype=np.uint8)
        write_at(path, values, offset)
        sums.add(values)
        offset += size
    assert sums.sums() == file_sums(path)
