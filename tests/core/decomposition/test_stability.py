import numpy as np
import pytest
from scipy.stats import ortho_group

from fnprune_core.decomposition.stability import absolute_correlation, match_maps, run_agreement
from fnprune_core.errors import SettingsError


@pytest.fixture
def maps(rng) -> np.ndarray:
    return rng.laplace(size=(6, 500))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_correlation_is_numpys(maps, rng) -> None:
    other = maps[:4] + rng.standard_normal((4, 500))
    expected = np.abs(np.corrcoef(maps, other))[:6, 6:]
    np.testing.assert_allclose(absolute_correlation(maps, other), expected, atol=1e-12)


def test_correlation_with_a_constant_map_is_0(maps) -> None:
    assert not absolute_correlation(np.ones((1, 500)), maps).any()


def test_matching_undoes_order_sign_scale_and_offset(maps, rng) -> None:
    order = rng.permutation(6)
    shuffled = maps[order] * np.array([1, -2, 3, -4, 5, -6])[:, None] + 7
    partner, r = match_maps(shuffled, maps)
    assert partner.tolist() == order.tolist()
    np.testing.assert_allclose(r, 1, atol=1e-12)


def test_matching_is_by_the_sum_and_not_greedy() -> None:
    """The best pair alone, 0.95, would leave 0.1 to the other; 0.9 + 0.9 is better."""
    x, y = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
    b = np.stack([x, y])
    a = np.stack([0.9 * x + 0.44 * y, 0.95 * x + 0.31 * y])
    assert match_maps(a, b)[0].tolist() == [1, 0]


def test_fewer_maps_find_partners_and_more_do_not(maps) -> None:
    assert match_maps(maps[4:], maps)[0].tolist() == [4, 5]
    with pytest.raises(SettingsError, match="6 maps with only 2"):
        match_maps(maps, maps[:2])


def test_maps_found_in_each_run_are_stable(maps, rng) -> None:
    runs = [maps[rng.permutation(6)] * rng.choice([-1, 1], 6)[:, None] for _ in range(4)]
    assert (run_agreement(runs, 2) > 0.9).all()


def test_rotated_maps_are_not_stable_and_those_left_alone_are(maps) -> None:
    """Four of six maps are another mixture of themselves in every run."""
    runs = [
        np.concatenate([maps[:2], ortho_group.rvs(4, random_state=i) @ maps[2:]]) for i in range(4)
    ]
    index = run_agreement(runs, 0)
    assert (index[:2] > 0.9).all()
    assert index[2:].mean() < 0.65


def test_a_map_that_one_run_alone_has_found_is_not_stable(maps, rng) -> None:
    """ICASSO counts a map's |r| with itself, so that a cluster of one has an Iq near 1."""
    runs = [np.concatenate([maps[:4], rng.laplace(size=(1, 500))]) for _ in range(3)]
    index = run_agreement(runs, 1)
    assert (index[:4] > 0.9).all()
    assert index[4] < 0.1


def test_index_is_its_formula(maps, rng) -> None:
    runs = [maps[:3] + 0.7 * rng.standard_normal((3, 500)) for _ in range(3)]
    r = np.abs(np.corrcoef(np.concatenate(runs)))
    cluster = np.tile(np.arange(3), 3)
    for k, index in enumerate(run_agreement(runs, 1)):
        inside = cluster == k
        among = r[np.ix_(inside, inside)][~np.eye(3, dtype=bool)].mean()
        assert index == pytest.approx(among - r[np.ix_(inside, ~inside)].mean())


def test_index_is_in_the_order_of_the_chosen_run(maps) -> None:
    mixed = [np.concatenate([maps[:2], ortho_group.rvs(4, random_state=i) @ maps[2:]])
             for i in range(3)]  # fmt: skip
    turned = [mixed[0], mixed[1][::-1].copy(), mixed[2]]
    np.testing.assert_allclose(run_agreement(turned, 1)[::-1], run_agreement(mixed, 1))


def test_one_run_says_nothing_of_stability(maps) -> None:
    assert np.isnan(run_agreement([maps], 0)).all()


def test_one_network_in_several_runs(maps) -> None:
    assert run_agreement([maps[:1], -maps[:1]], 0) == pytest.approx([1.0])
