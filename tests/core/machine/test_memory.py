"""What is let go is kept while a block runs, and given back after it."""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fnprune_core.machine import memory
from fnprune_core.machine.memory import Allocator

MB = 1 << 20
ROOT = Path(__file__).parents[3]
TRIM, MMAP = -1, -3  # of mallopt

#: Faults of passes that take and let go pieces, in a block and after it.
SCRIPT = """
import resource
import torch
from fnprune_core.machine import memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        for size in (6, 24, 100):
            torch.zeros(size << 18, dtype=torch.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

memory.give_back_from(4 << 20)
faults()
with memory.kept():
    faults()
    print(faults())
print(faults())
"""


class Library:
    """A C library that notes what it is told."""

    def __init__(self, *, refuses_above: int | None = None) -> None:
        self.told: dict[int, int] = {}
        self.n_trims, self._refuses_above = 0, refuses_above

    def mallopt(self, name: int, value: int) -> int:
        if name == MMAP and self._refuses_above is not None and value > self._refuses_above:
            return 0
        self.told[name] = value
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.n_trims += 1
        return 1


@pytest.fixture(autouse=True)
def not_set_by_hand(monkeypatch):
    for name in (*memory._BY_HAND, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)


def test_all_is_kept_in_a_block_and_given_back_at_its_end() -> None:
    library = Library()
    allocator = Allocator(library)
    allocator.settle(4 * MB)
    assert library.told == {MMAP: 4 * MB, TRIM: 8 * MB}
    with allocator.keeping():
        assert allocator.is_keeping
        assert min(library.told.values()) > 1000 * MB
        assert library.n_trims == 0
    assert library.told == {MMAP: 4 * MB, TRIM: 8 * MB}
    assert library.n_trims == 1
    assert not allocator.is_keeping


def test_of_two_blocks_the_last_ends_it_and_what_is_usual_counts_then() -> None:
    library = Library()
    allocator = Allocator(library)
    outer, inner = allocator.keeping(), allocator.keeping()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    allocator.settle(8 * MB)
    assert min(library.told.values()) > 1000 * MB
    assert library.n_trims == 0
    inner.__exit__(None, None, None)
    assert library.told[MMAP] == 8 * MB
    assert library.n_trims == 1


def test_an_error_ends_it_too() -> None:
    library = Library()
    with pytest.raises(ZeroDivisionError), Allocator(library).keeping():
        raise ZeroDivisionError
    assert library.told[MMAP] == 32 * MB


def test_threads_that_begin_and_end_at_once_leave_it_as_it_was() -> None:
    library = Library()
    allocator = Allocator(library)

    def least_seen(number: int) -> int:
        least = []
        for _ in range(200):
            with allocator.keeping():
                least.append(min(library.told.values()))
        return min(least)

    with ThreadPoolExecutor(4) as pool:
        assert min(pool.map(least_seen, range(4))) > 1000 * MB
    assert library.told[MMAP] == 32 * MB
    assert not allocator.is_keeping


def test_an_older_library_takes_what_it_can() -> None:
    library = Library(refuses_above=32 * MB)
    with Allocator(library).keeping():
        assert library.told[MMAP] == 32 * MB
        assert library.told[TRIM] > 1000 * MB


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_MMAP_THRESHOLD_", "1000000"),
        ("MALLOC_ARENA_MAX", "1"),
        ("GLIBC_TUNABLES", "glibc.pthread.rseq=0:glibc.malloc.trim_threshold=1"),
    ],
)
def test_what_a_person_has_set_stays(monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    library = Library()
    allocator = Allocator(library)
    allocator.limit_arenas(2)
    with allocator.keeping():
        assert not allocator.is_keeping
    assert library.told == {}


def test_settings_of_something_else_are_no_obstacle(monkeypatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
    library = Library()
    Allocator(library).settle(4 * MB)
    assert library.told[MMAP] == 4 * MB


def test_what_is_kept_is_not_trimmed_in_the_midst() -> None:
    library = Library()
    allocator = Allocator(library)
    with allocator.keeping():
        allocator.trim()
        assert library.n_trims == 0
    assert library.n_trims == 1


def test_without_the_library_nothing_is_done() -> None:
    allocator = Allocator(None)
    allocator.settle(4 * MB)
    allocator.limit_arenas(2)
    with allocator.keeping():
        assert not allocator.is_keeping


def test_large_pages_are_a_wish_that_a_person_may_refuse() -> None:
    asked, refused = dict[str, str](), {"THP_MEM_ALLOC_ENABLE": "0"}
    memory.prefer_large_pages(asked)
    memory.prefer_large_pages(refused)
    assert (asked["THP_MEM_ALLOC_ENABLE"], refused["THP_MEM_ALLOC_ENABLE"]) == ("1", "0")


def _why_not() -> str:
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 35):
        return "of glibc from 2.35 on"
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    is_always = pages.is_file() and "[always]" in pages.read_text(encoding="ascii")
    return "large pages take few faults" if is_always else ""


@pytest.mark.skipif(bool(_why_not()), reason=_why_not())
def test_pages_are_had_once_within_a_block_and_each_time_outside() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "THP_MEM_ALLOC_ENABLE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    within, outside = map(int, run.stdout.split())
    assert within < outside / 20
