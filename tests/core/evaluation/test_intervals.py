"""Intervals over documents of unequal length."""

import numpy as np
import pytest

from fnprune_core.evaluation.intervals import document_sample, ratio_error


def coverage(counts, *, n_times=1500) -> float:
    """How often 95 % intervals hold 0: documents that differ, windows of each that do, too."""
    rng = np.random.default_rng(0)
    documents = np.repeat(np.arange(len(counts)), counts)
    tokens = np.full(len(documents), 63)
    own = rng.standard_normal((n_times, len(counts)))[:, documents]
    values = 63 * (own + 0.5 * rng.standard_normal(own.shape))
    low, high = document_sample(tokens, documents).interval(
        values.sum(axis=1) / tokens.sum(), ratio_error(values, tokens, documents)
    )
    return float(((low <= 0) & (high >= 0)).mean())


@pytest.mark.parametrize(
    "counts",
    [[4] * 5, np.geomspace(1, 30, 10), np.geomspace(1, 30, 30), [8] * 9 + [40], [1] * 20 + [10]],
    ids=["equal", "10 of 1 to 30", "30 of 1 to 30", "9 and a long one", "20 and a long one"],
)
def test_intervals_hold_the_truth_where_documents_are_unequal(counts) -> None:
    """By t of one less than the documents they did in 88 to 93 % of cases."""
    assert coverage(np.round(counts).astype(int)) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("counts", [[1, 1, 1, 1, 20], [1, 2, 5, 13, 30], [5, 5, 5, 5]])
def test_documents_that_weigh_less_than_five_equal_ones_give_no_interval(counts) -> None:
    documents = np.repeat(np.arange(len(counts)), counts)
    tokens = np.ones(len(documents), dtype=int)
    found = document_sample(tokens, documents)
    assert found.n == len(counts)
    assert found.n_effective == pytest.approx(np.sum(counts) ** 2 / np.square(counts).sum())
    assert np.isnan([found.freedom, *found.interval(0.0, 1.0)]).all()
    assert np.isnan(ratio_error(np.ones(len(documents)), tokens, documents))
    assert "too few" in found.text()
    assert "give no interval" in found.note()


def test_freedom_is_satterthwaites_and_one_less_than_equal_documents() -> None:
    counts = np.array([3, 5, 5, 8, 9, 12, 4])
    w = counts / counts.sum()
    leave_out = np.eye(7) - np.outer(np.ones(7), w)  # means of documents → their residuals
    form = leave_out.T @ np.diag((w / (1 - w)) ** 2) @ leave_out @ np.diag(1 / counts)
    documents = np.repeat(np.arange(7), counts)
    found = document_sample(np.ones(len(documents), dtype=int), documents)
    assert found.freedom == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))
    equal = document_sample(np.ones(12, dtype=int), np.arange(12) // 2)
    assert (equal.freedom, equal.n_effective) == pytest.approx((5.0, 6.0))
