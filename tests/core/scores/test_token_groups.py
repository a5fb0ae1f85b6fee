from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted import planted

from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.deviations import Deviations
from fnprune_core.scores import token_groups
from fnprune_core.scores.token_groups import TokenGroups, group_tokens, summarise


@pytest.fixture(scope="module")
def example():
    """Two kinds of sessions, in which different networks are active, in 1,000 units."""
    rng = np.random.default_rng(0)
    scale = [[1.5, 1.5, 0.2, 0.2], [0.2, 0.2, 1.5, 1.5]]
    courses = [rng.laplace(size=(150, 4)) * scale[i % 2] for i in range(6)]
    signals = planted(n_networks=4, courses=courses).signals
    squares = np.square(np.concatenate(courses)).T
    mean = np.concatenate(signals).mean(axis=0)
    return SimpleNamespace(
        layout=UnitLayout((400, 600)),
        mean=mean,
        n_sessions=6,
        session_slice=lambda i: slice(150 * i, 150 * (i + 1)),
        deviations=lambda i: Deviations(values=torch.from_numpy(signals[i] - mean)),
        signals=np.concatenate(signals).astype(np.float64),
        shares=(squares / squares.sum(axis=0)).astype(np.float32),
        is_dummy=np.arange(900) % 150 < 3,
    )


def grouped(example, n_groups: int, weights: np.ndarray):
    group = group_tokens(example.shares, example.is_dummy, n_groups)
    return summarise(example, group, n_groups, weights=weights)


def weights_of(example, kept: list[int]) -> np.ndarray:
    return np.square(example.shares[kept].sum(axis=0)) * ~example.is_dummy


def test_planted_networks_agree_with_the_exact_choice(example) -> None:
    weights = weights_of(example, [0, 1])
    summary = grouped(example, 90, weights[None])
    tenth = UnitLayout((400, 600)).n_units // 10

    def lowest(values) -> set[int]:
        return set(np.argsort(values)[: 3 * tenth].tolist())

    exact = lowest(summary.variance[0])
    near = lowest(summary.groups.moments(weights[None])[1][0])
    unweighted = lowest(example.signals[~example.is_dummy].var(axis=0))
    assert len(exact & near) / len(exact) > 0.93
    assert len(exact & unweighted) / len(exact) < 0.85


def test_weights_that_are_alike_in_groups_give_exact_moments(example) -> None:
    """And so do the exact variances beside them; dummy tokens count where they have weight."""
    rng = np.random.default_rng(1)
    n_groups = 40
    group = group_tokens(example.shares, example.is_dummy, n_groups)
    assert (group[example.is_dummy] == n_groups).all()
    assert set(group[~example.is_dummy]) == set(range(n_groups))
    weights = rng.random((2, n_groups + 1))[:, group]
    summary = summarise(example, group, n_groups, weights=weights)
    mean, variance = summary.groups.moments(weights)
    for row in range(2):
        expected = np.average(example.signals, axis=0, weights=weights[row])
        spread = np.average(np.square(example.signals - expected), axis=0, weights=weights[row])
        np.testing.assert_allclose(mean[row], expected, rtol=1e-4)
        np.testing.assert_allclose(variance[row], spread, rtol=1e-3)
        np.testing.assert_allclose(summary.variance[row], spread, rtol=1e-3)


def test_groups_come_back_from_the_disk(example, tmp_path) -> None:
    """As float16; what dummy tokens add, far larger, must not cost the others their precision."""
    weights = weights_of(example, [1, 3])[None]
    groups = grouped(example, 50, weights).groups
    groups.second[-1] *= 1e9
    groups.save(tmp_path / "groups.safetensors")
    again = TokenGroups.load(tmp_path / "groups.safetensors")
    np.testing.assert_allclose(again.moments(weights)[1], groups.moments(weights)[1], rtol=2e-3)
    np.testing.assert_array_equal(again.second.dummy, groups.second[-1])
    np.testing.assert_array_equal(again.group, groups.group)


def test_stored_sums_stay_packed_and_are_stored_again_as_they_are(example, tmp_path) -> None:
    """Unpacked they would take twice the memory of the server."""
    weights = np.stack([weights_of(example, [1, 3]), weights_of(example, [0])])
    groups = grouped(example, 50, weights).groups
    groups.save(tmp_path / "groups.safetensors")
    stored = TokenGroups.load(tmp_path / "groups.safetensors")
    assert stored.n_groups == groups.n_groups == 51
    assert stored.first.scaled.nbytes * 2 == groups.first[:-1].nbytes
    stored.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "groups.safetensors"
    ).read_bytes()
    unpacked = TokenGroups(
        group=stored.group, centre=stored.centre,
        **{
            name: np.vstack([sums.scaled.astype(np.float32) * sums.scale, sums.dummy])
            for name, sums in (("first", stored.first), ("second", stored.second))
        },
    )  # fmt: skip
    for found, expected in zip(stored.moments(weights), unpacked.moments(weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)  # float32


def test_groups_are_unpacked_a_few_at_a_time(example, tmp_path, monkeypatch) -> None:
    """50 groups of 1,000 units by seven: the last part is smaller than the others."""
    weights = weights_of(example, [1, 3])[None]
    grouped(example, 50, weights).groups.save(tmp_path / "groups.safetensors")
    stored = TokenGroups.load(tmp_path / "groups.safetensors")
    at_once = stored.moments(weights)
    monkeypatch.setattr(token_groups, "_UNPACKED_BYTES", 4 * 1000 * 7)
    for found, expected in zip(stored.moments(weights), at_once, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)  # float32
