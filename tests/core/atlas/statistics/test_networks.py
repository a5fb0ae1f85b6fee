"""Statistics of networks, on maps and time courses whose values are known."""

import numpy as np
import pytest
from scipy import stats
from toy_atlas import N_TOKENS, WINDOW, atlas_of, usable

from fnprune_core.atlas.statistics.networks import network_statistics, specificity


def test_statistics_are_those_of_their_definitions():
    atlas = atlas_of()
    table = network_statistics(atlas)
    courses = atlas.time_courses[:, usable()].astype(float)
    assert table["share_of_energy"].sum() == pytest.approx(1)
    assert table["course_kurtosis"].to_numpy() == pytest.approx(stats.kurtosis(courses, axis=1))
    assert table["map_kurtosis"].to_numpy() == pytest.approx(
        stats.kurtosis(atlas.maps.astype(float), axis=1), rel=1e-6
    )
    layers, _ = atlas.layout.locate(np.arange(atlas.layout.n_units))
    expected = [np.average(layers, weights=row.astype(float) ** 2) for row in atlas.maps]
    assert table["mean_layer"].to_numpy() == pytest.approx(expected)


def test_a_network_of_one_domain_is_specific_and_one_of_all_is_not():
    courses = np.ones((2, N_TOKENS))
    courses[0, : 5 * WINDOW] = 0
    table = network_statistics(atlas_of(courses=courses, maps=np.eye(2, 100)))
    assert table["specificity"].to_numpy() == pytest.approx([1, 0], abs=1e-9)
    assert specificity(np.ones((3, 1))).tolist() == [0, 0, 0]
