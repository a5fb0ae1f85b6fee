"""Order of networks: by energy, and where that is a near tie by what rounding leaves alone."""

import numpy as np
import pytest

from fnprune_core.decomposition.order import LARGEST_TIE, LEAST_TIE, energy_order, tie_tolerance

MAPS = np.eye(6, 100)[:, ::-1]  # network k peaks at unit 99 - k


def test_strongest_first_where_energies_differ() -> None:
    energy = np.array([3.0, 9.0, 1.0, 5.0, 7.0, 2.0])
    np.testing.assert_array_equal(energy_order(energy, MAPS), [1, 4, 3, 0, 5, 2])


@pytest.mark.parametrize("last_bits", [1e-15, -1e-15, 1e-7, -1e-7, 1e-5])
def test_a_near_tie_stands_by_peak_units_however_it_was_rounded(last_bits) -> None:
    energy = np.array([3.0, 9.0, 9.0 * (1 + last_bits), 5.0, 5.0 * (1 - last_bits), 2.0])
    np.testing.assert_array_equal(energy_order(energy, MAPS), [2, 1, 4, 3, 0, 5])


def test_order_withstands_noise_far_below_the_tolerance() -> None:
    """Also where gaps are everywhere: the tolerance keeps clear of them all."""
    rng = np.random.default_rng(0)
    n_changed = 0
    for _ in range(200):
        energy = np.cumprod(1 - 10 ** rng.uniform(-6, -1, size=64))
        maps = np.eye(64, 500)[rng.permutation(64)]
        first = energy_order(energy, maps)
        noisy = energy_order(energy * (1 + 1e-7 * rng.standard_normal(64)), maps)
        n_changed += not np.array_equal(first, noisy)
    assert n_changed <= 1  # by energy alone about 170


def test_tolerance_lies_in_the_widest_empty_stretch() -> None:
    assert tie_tolerance(np.array([0.5])) == pytest.approx((LEAST_TIE * LARGEST_TIE) ** 0.5)
    assert 3e-4 < tie_tolerance(np.array([2e-4, 5e-3, 6e-3, 8e-3])) < 3e-3
    assert tie_tolerance(np.array([])) > LEAST_TIE


def test_silent_networks_come_last_by_their_peaks() -> None:
    energy = np.array([0.0, 4.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(energy_order(energy, MAPS), [1, 5, 4, 3, 2, 0])
