"""What the process lets go when it has too much."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.shell.caches import memory
from app.shell.caches.memory import Relief
from app.shell.caches.sizes import mapped_arrays, size_of
from fnprune_core.machine import memory as core_memory

MB = 1_000_000


class Holder:
    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


def mapped(path: Path, n_bytes: int) -> np.memmap[Any, Any]:
    path.write_bytes(b"\1" * n_bytes)
    return np.memmap(path, dtype=np.uint8, mode="r")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros(MB, dtype=np.uint8), MB),
        (np.zeros(MB, dtype=np.uint8)[:1], MB),  # a view holds all of it
        ([np.zeros(MB, dtype=np.uint8)] * 3, MB),  # shared
        ({"a": "x" * MB, "b": b"y" * MB}, 2 * MB),
        (pd.DataFrame({"a": np.zeros(MB // 8)}), MB),
        (Holder(inner=Holder(array=np.zeros(MB, dtype=np.uint8))), MB),
        (Path.cwd, 0),
    ],
)
def test_sizes_are_those_of_what_is_held(value: object, expected: int) -> None:
    assert size_of(value) == pytest.approx(expected, rel=0.01, abs=2000)


def test_mapped_arrays_are_the_files_and_found_in_what_holds_them(tmp_path) -> None:
    signals = mapped(tmp_path / "signals", MB)
    Holder.__module__ = "fnprune_core.holder"
    holder = Holder(signals=signals, parts=[signals[10:20]])
    assert size_of(holder) < 10_000
    assert {id(array.base) for array in mapped_arrays(holder)} | {
        id(array) for array in mapped_arrays(holder)
    } >= {id(signals)}


def test_relief_comes_above_the_bound_alone_and_not_at_every_turn(tmp_path) -> None:
    now, resident, shrunk = [0.0], [100], []
    relief = Relief(1000, clock=lambda: now[0], resident=lambda: resident[0])
    signals = mapped(tmp_path / "signals", MB)

    def ask() -> bool:
        return relief(lambda: [signals], shrunk.append, 500)

    assert not ask()
    resident[0] = 2000
    assert ask()
    assert shrunk == [375]
    assert not ask()  # so soon after
    now[0] = 60.0
    assert ask()
    assert int(signals[0]) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_free_memory_is_given_back() -> None:
    memory.settle()
    before = memory.resident_bytes()
    held = [b"\1" * MB for _ in range(80)]  # each too small for a mapping of its own
    assert memory.resident_bytes() - before > 60 * MB
    del held
    core_memory.trim()
    assert memory.resident_bytes() - before < 30 * MB
