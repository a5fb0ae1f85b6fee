"""What is let go is kept while a block runs, and given back after it."""

import resource
import sys
import threading
from collections.abc import Callable

import pytest
import torch

from fnprune_core import memory

MB = 1 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of glibc")


def faults(work: Callable[[], object], times: int = 4) -> int:
    """Return how many pages were had from the system while some work was done again and again."""
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def passes() -> None:
    """Take and let go what a pass does."""
    for n_bytes in (6 * MB, 24 * MB, 100 * MB):
        torch.zeros(n_bytes // 4, dtype=torch.float32)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.fixture(autouse=True)
def settled():
    """Small pieces are given back at once, as in the app; then as before."""
    memory.give_back_from(4 * MB)
    yield
    memory.give_back_from(32 * MB)


def test_pages_are_had_once_within_a_block_and_each_time_outside() -> None:
    each_time = faults(passes)
    with memory.kept():
        once = faults(passes)
    assert once < each_time / 20
    assert faults(passes) > each_time / 2


def test_what_was_kept_is_given_back_at_the_end() -> None:
    before = resident()
    with memory.kept():
        torch.ones(200 * MB // 4, dtype=torch.float32)
        assert resident() - before > 150 * MB
    assert resident() - before < 50 * MB


def test_of_two_blocks_the_last_ends_it() -> None:
    outer, inner = memory.kept(), memory.kept()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    memory.give_back_from(4 * MB)  # counts once no block is left
    assert faults(passes) < 100
    inner.__exit__(None, None, None)
    assert faults(passes) > 1000


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), memory.kept():
        raise ZeroDivisionError
    assert faults(passes) > 1000


def test_threads_that_begin_and_end_at_once_leave_it_as_it_was() -> None:
    def work() -> None:
        for _ in range(5):
            with memory.kept():
                passes()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults(passes) > 1000


def test_large_pages_are_a_wish_that_a_person_may_refuse() -> None:
    asked, refused = dict[str, str](), {"THP_MEM_ALLOC_ENABLE": "0"}
    memory.prefer_large_pages(asked)
    memory.prefer_large_pages(refused)
    assert (asked["THP_MEM_ALLOC_ENABLE"], refused["THP_MEM_ALLOC_ENABLE"]) == ("1", "0")
