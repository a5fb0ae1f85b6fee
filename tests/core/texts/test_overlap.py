import numpy as np
import pytest

from fnprune_core.texts import overlap
from fnprune_core.texts.overlap import first_shared_run, run_hashes


def brute_force(a: np.ndarray, b: np.ndarray, length: int) -> int | None:
    runs = {tuple(a[i : i + length]) for i in range(len(a) - length + 1)}
    return next(
        (i for i in range(len(b) - length + 1) if tuple(b[i : i + length]) in runs),
        None,
    )


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 50])
def test_equal_runs_have_equal_hashes_wherever_they_stand(length: int) -> None:
    run = np.arange(length) * 7
    hashes = run_hashes(np.concatenate([[3, 1], run, [4, 1, 5], run]), length)
    assert len(hashes) == 2 + length + 3 + length - length + 1
    assert hashes[2] == hashes[2 + length + 3]


def test_order_and_multiplicity_count() -> None:
    assert run_hashes(np.array([1, 2]), 2) != run_hashes(np.array([2, 1]), 2)
    assert run_hashes(np.array([0, 0, 1]), 3) != run_hashes(np.array([0, 1, 0]), 3)


def test_finds_what_a_plain_search_finds() -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 4, 6):
        for _ in range(40):
            a, b = rng.integers(0, 4, 30), rng.integers(0, 4, rng.integers(0, 30))
            assert first_shared_run(a, b, length=length) == brute_force(a, b, length)


def test_one_token_less_is_not_shared() -> None:
    a = np.arange(200)
    b = np.concatenate([np.arange(1000, 1030), np.arange(60, 109), np.arange(2000, 2030)])
    assert first_shared_run(a, b, length=50) is None
    assert first_shared_run(a, b, length=49) == 30


def test_colliding_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(ids: np.ndarray, length: int) -> np.ndarray:
        return np.zeros(max(0, len(ids) - length + 1), dtype=np.uint64)

    monkeypatch.setattr(overlap, "run_hashes", constant)
    assert first_shared_run(np.arange(20), np.arange(50, 70), length=5) is None
    b = np.concatenate([np.arange(50, 60), np.arange(11, 16)])
    assert first_shared_run(np.arange(20), b, length=5) == 10
