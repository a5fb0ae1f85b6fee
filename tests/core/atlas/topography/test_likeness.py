import numpy as np
import pytest

from fnprune_core.atlas.topography.likeness import (
    depth_autocorrelation,
    sheet_autocorrelation,
    strong_agreement,
)


def test_neighbours_that_go_with_a_strong_unit_are_counted_by_sign_and_strength():
    volume = np.full((2, 3, 3), np.nan)
    volume[0] = [[0, 2, 0], [-2, 4, 1], [0, 9, np.nan]]
    volume[1, 1, 1] = 2
    # 4: of 2, −2, 1, 9 and the 2 above it, three go with it; 9: of 4, 0 and none, one.
    assert strong_agreement(volume) == pytest.approx(4 / 7)
    assert strong_agreement(-volume) == pytest.approx(4 / 7)
    assert strong_agreement(volume, strong=5) == pytest.approx(1 / 2)
    assert np.isnan(strong_agreement(volume, strong=20))


def test_likeness_in_the_sheet_and_across_layers_are_told_apart():
    rng = np.random.default_rng(0)
    columns = np.broadcast_to(rng.standard_normal((1, 20, 20)), (6, 20, 20))
    assert depth_autocorrelation(columns) == pytest.approx(1)
    assert abs(sheet_autocorrelation(columns)) < 0.1
    planes = np.broadcast_to(rng.standard_normal((6, 1, 1)), (6, 20, 20))
    assert sheet_autocorrelation(planes) == pytest.approx(1)
