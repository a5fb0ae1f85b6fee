"""Pages of files that were read are let go, and read again rightly."""

import mmap
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from fnprune_core.recording.pages import release_pages

MB = 1_000_000


def mapped(path: Path, n_rows: int, row_bytes: int) -> np.memmap[Any, Any]:
    rows = np.arange(n_rows, dtype=np.uint8)[:, None] * np.ones((1, row_bytes), dtype=np.uint8)
    rows.tofile(path)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=(n_rows, row_bytes))


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.skipif(sys.platform != "linux", reason="mapped pages count elsewhere otherwise")
@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot be told")
def test_a_file_that_was_read_takes_no_memory(tmp_path) -> None:
    rows = mapped(tmp_path / "signals", 64, MB)
    before = resident()
    sums = rows.sum(axis=1, dtype=np.int64)
    assert resident() - before > 50 * MB
    release_pages(rows)
    assert resident() - before < 15 * MB
    assert (rows.sum(axis=1, dtype=np.int64) == sums).all()


@pytest.mark.skipif(sys.platform != "linux", reason="mapped pages count elsewhere otherwise")
@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot be told")
def test_rows_are_let_go_by_themselves(tmp_path) -> None:
    rows = mapped(tmp_path / "signals", 64, MB)
    before = resident()
    for first in range(0, 64, 8):
        part = slice(first, first + 8)
        assert rows[part].sum(dtype=np.int64) == sum(range(first, first + 8)) * MB
        release_pages(rows, part)
        assert resident() - before < 20 * MB


@pytest.mark.parametrize(("first", "last"), [(0, 3), (1, 2), (2, 2), (0, 100), (5, 3)])
def test_rows_that_end_within_a_page_stay_right(tmp_path, first: int, last: int) -> None:
    rows = mapped(tmp_path / "signals", 7, 1001)
    release_pages(rows, slice(first, last))
    assert (rows[:, 0] == np.arange(7)).all()
    assert (rows[:, -1] == np.arange(7)).all()


def test_an_array_of_no_file_is_left_alone() -> None:
    array = np.arange(10)
    release_pages(array)
    assert array.tolist() == list(range(10))
