"""The caches of all sessions: bounded by bytes, shared, computed once, never changed."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.shell import caching
from app.shell.caching import Caches, cached, hashable

PATIENCE_S = 10.0
BIG = 100_000  # bytes of an array


def array(fill: int) -> np.ndarray[Any, Any]:
    return np.full(BIG, fill, dtype=np.uint8)


@pytest.fixture
def caches(monkeypatch) -> Caches:
    made = Caches(3 * BIG + BIG // 2)
    monkeypatch.setattr(caching, "CACHES", made)
    return made


def test_the_least_recently_asked_for_makes_room_by_bytes(caches: Caches) -> None:
    made: list[int] = []

    @cached(max_entries=100)
    def of(number: int) -> np.ndarray[Any, Any]:
        made.append(number)
        return array(number)

    @cached(max_entries=100)
    def other(number: int) -> np.ndarray[Any, Any]:
        made.append(-number)
        return array(number)

    of(1), of(2), other(3)
    of(1)  # 2 is now the one asked for longest ago
    other(4)
    assert caches.n_bytes() <= caches.max_bytes
    of(1), other(3), other(4)
    assert made == [1, 2, -3, -4]
    of(2)
    assert made[-1] == 2


def test_each_function_is_bounded_by_number_too(caches: Caches) -> None:
    made: list[int] = []

    @cached(max_entries=2)
    def of(number: int) -> str:
        made.append(number)
        return str(number)

    for number in (1, 2, 3, 3, 2, 1):
        assert of(number) == str(number)
    assert made == [1, 2, 3, 1]


def test_a_value_larger_than_all_is_kept_while_it_is_the_newest(caches: Caches) -> None:
    calls: list[int] = []

    @cached(max_entries=4)
    def of(number: int) -> np.ndarray[Any, Any]:
        calls.append(number)
        return np.zeros(caches.max_bytes + 1, dtype=np.uint8)

    of(1), of(1), of(2), of(1)
    assert calls == [1, 2, 1]


def test_sessions_that_ask_at_once_share_one_computation(caches: Caches) -> None:
    began, go = threading.Event(), threading.Event()
    calls: list[int] = []

    @cached(max_entries=4)
    def slow(number: int) -> str:
        calls.append(number)
        began.set()
        assert go.wait(PATIENCE_S)
        return "value"

    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(slow(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert began.wait(PATIENCE_S)
    go.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert got == ["value"] * 4
    assert calls == [1]


def test_values_that_ask_for_it_are_computed_one_after_another(caches: Caches) -> None:
    """Also of two functions; the others' are computed beside them."""
    working, most_at_once, beside = 0, 0, threading.Event()

    def work() -> None:
        nonlocal working, most_at_once
        working += 1
        most_at_once = max(most_at_once, working)
        assert beside.wait(PATIENCE_S)  # which another value sets, at the same time
        working -= 1

    @cached(max_entries=9, alone=True)
    def heavy(number: int) -> int:
        work()
        return number

    @cached(max_entries=9, alone=True)
    def heavy_too(number: int) -> int:
        work()
        return -number

    @cached(max_entries=9)
    def light() -> bool:
        beside.set()
        return True

    given: list[int] = []
    threads = [
        threading.Thread(target=lambda of=of, n=n: given.append(of(n)))
        for of in (heavy, heavy_too)
        for n in (1, 2)
    ]
    for thread in threads:
        thread.start()
    threads[-1].join(0.1)  # all have begun: one works, the others wait for it
    assert light()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(given) == [-2, -1, 1, 2]
    assert most_at_once == 1


def test_a_failure_is_not_kept(caches: Caches) -> None:
    results = iter([ValueError("not yet"), "now"])

    @cached(max_entries=4)
    def of() -> str:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return str(result)

    with pytest.raises(ValueError, match="not yet"):
        of()
    assert of() == "now"
    assert of() == "now"


def test_what_was_cleared_while_it_was_computed_is_not_kept(caches: Caches) -> None:
    """A deleted artifact would be shown from memory after it is gone."""
    calls: list[int] = []

    @cached(max_entries=4)
    def of() -> int:
        calls.append(1)
        if len(calls) == 1:
            of.clear()
        return len(calls)

    assert of() == 1
    assert of() == 2
    assert of() == 2


def test_a_caller_cannot_change_what_others_are_given(caches: Caches) -> None:
    @cached(max_entries=4)
    def of(kind: str) -> Any:
        return {
            "list": [1, 2],
            "dict": {"a": 1},
            "array": np.zeros(2),
            "table": pd.DataFrame({"a": [1, 2]}),
        }[kind]

    of("list").append(3)
    of("dict")["b"] = 2
    table = of("table")
    table["b"] = 0
    with pytest.raises(ValueError, match="read-only"):
        of("array")[0] = 1
    assert of("list") == [1, 2]
    assert of("dict") == {"a": 1}
    assert list(of("table").columns) == ["a"]


def test_arguments_count_by_value_wherever_they_stand_and_not_with_an_underscore(caches) -> None:
    @dataclass(frozen=True)
    class Choice:
        names: list[str]

    calls: list[object] = []

    @cached(max_entries=8)
    def of(choice: Choice, z: float = 3.0, *, _model: object = None) -> int:
        calls.append(choice)
        return len(calls)

    assert of(Choice(["a"])) == of(Choice(["a"]), 3.0) == of(choice=Choice(["a"]), z=3.0) == 1
    assert of(Choice(["a"]), _model=object()) == 1
    assert of(Choice(["b"])) == 2
    assert of(Choice(["a"]), 2.0) == 3


def test_keys_tell_arrays_and_kinds_apart() -> None:
    assert hashable(np.zeros(2)) == hashable(np.zeros(2))
    assert hashable(np.zeros(2)) != hashable(np.zeros((1, 2)))
    assert hashable(np.zeros(2)) != hashable(np.zeros(2, dtype=np.float32))
    assert hashable({"b": [1], "a": 2}) == hashable({"a": 2, "b": [1]})


def test_what_grows_after_it_was_opened_is_measured_again(monkeypatch) -> None:
    """An atlas is small when it is opened, and holds its maps once they were looked at."""
    now = [0.0]
    made = Caches(3 * BIG, clock=lambda: now[0])
    monkeypatch.setattr(caching, "CACHES", made)

    class Opened:
        __module__ = "fnprune_core.opened"

    @cached(max_entries=100)
    def of(number: int) -> Opened:
        return Opened()

    for number in range(8):
        of(number).maps = array(number)  # type: ignore[attr-defined]
    assert made.n_bytes() < BIG
    now[0] = 60.0
    of(100)
    assert made.n_bytes() <= made.max_bytes
    assert len(made.values()) < 8


@pytest.mark.parametrize(
    ("text", "expected"), [("1000000", 1_000_000), ("", 600_000_000), ("a lot", 600_000_000)]
)
def test_the_bound_is_set_by_the_environment_or_the_default(text: str, expected: int) -> None:
    assert caching.configured_bytes({"FNPRUNE_CACHE_BYTES": text}) == expected
