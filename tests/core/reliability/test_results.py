import numpy as np
import pytest
from scipy.stats import ortho_group

from fnprune_core.reliability.results import SizeCurve, stability_clusters


def test_a_map_of_one_run_alone_is_a_cluster_that_does_not_look_stable() -> None:
    rng = np.random.default_rng(0)
    maps = rng.laplace(size=(4, 400))
    runs = [np.concatenate([maps[:3], rng.laplace(size=(1, 400))]) for _ in range(4)]
    r = np.abs(np.corrcoef(np.concatenate(runs)))
    networks = np.abs(np.corrcoef(runs[0], np.concatenate(runs)))[:4, 4:]
    found = stability_clusters(r, np.repeat(np.arange(4), 4), networks)
    assert (found.iq[:3] > 0.9).all()
    assert (found.share[:3] == 1).all()
    assert found.iq[3] < 0.1
    assert found.share[3] < 1


def test_iq_is_its_formula_and_in_the_order_of_the_networks() -> None:
    rng = np.random.default_rng(1)
    maps = rng.laplace(size=(3, 400))
    noisy = [maps[[2, 0, 1]] + 0.4 * rng.standard_normal((3, 400)) for _ in range(3)]
    r = np.abs(np.corrcoef(np.concatenate(noisy)))
    networks = np.abs(np.corrcoef(maps, np.concatenate(noisy)))[:3, 3:]
    found = stability_clusters(r, np.repeat(np.arange(3), 3), networks)
    for k in range(3):
        inside = np.tile([2, 0, 1], 3) == k
        within = r[np.ix_(inside, inside)][~np.eye(3, dtype=bool)].mean()
        assert found.iq[k] == pytest.approx(within - r[np.ix_(inside, ~inside)].mean())


def test_rotated_networks_have_a_lower_index() -> None:
    maps = np.random.default_rng(0).laplace(size=(6, 500))
    runs = [
        np.concatenate([maps[:2], ortho_group.rvs(4, random_state=i) @ maps[2:]]) for i in range(5)
    ]
    r = np.abs(np.corrcoef(np.concatenate(runs)))
    found = stability_clusters(r, np.repeat(np.arange(5), 6), r[:6])
    assert (found.iq[:2] > 0.9).all()
    assert found.iq[2:].mean() < 0.6


@pytest.mark.parametrize(
    ("reproduced", "expected"),
    [([4, 8, 8], 8), ([4, 7, 8], 8), ([4, 8, 16], 16), ([4, 4, 4], 4), ([0, 0, 0], None)],
)
def test_suggested_size_weighs_number_and_share(reproduced, expected) -> None:
    values = np.array(reproduced, dtype=float)[:, None]
    curve = SizeCurve(
        sizes=np.array([4, 8, 16]), median=values, above_high=values, above_very_high=values,
        n_runs=6, n_converged=6,
    )  # fmt: skip
    assert curve.suggested() == expected
    assert curve.still_rises == (expected == 16)
