"""Smoothing for the eye: as large as before, nothing outside, and exact without it."""

import numpy as np
import pytest
from toy_volumes import RAGGED, cortex

from fnprune_core.atlas.images import smoothing
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.errors import SettingsError

GRID = grid_of(RAGGED, cortex())
MAPS = np.random.default_rng(1).laplace(size=(5, RAGGED.n_units)).astype(np.float32)


@pytest.mark.parametrize("fwhm", [0.0, 4.0, 8.0])
def test_a_smoothed_map_keeps_its_spread_and_stays_in_the_body(fwhm) -> None:
    raw = GRID.volume(MAPS[0])
    out = smoothing.smoothed(MAPS[0], GRID, fwhm=fwhm)
    assert not out[GRID.unit_of_voxel < 0].any()
    assert np.square(out).sum() == pytest.approx(np.square(raw).sum(), rel=0.35)
    if fwhm:
        assert np.abs(out).max() < np.abs(raw).max()
    else:
        assert np.array_equal(out, raw)


@pytest.mark.parametrize("fwhm", [0.0, 6.0])
def test_each_voxel_has_its_strongest_network(fwhm) -> None:
    labels, strengths = smoothing.strongest_networks(MAPS, GRID, fwhm=fwhm)
    each = np.abs([smoothing.smoothed(row, GRID, fwhm=fwhm) for row in MAPS])
    inside = GRID.unit_of_voxel >= 0
    assert np.array_equal(labels[inside], each.argmax(axis=0)[inside] + 1)
    assert np.array_equal(strengths, each.max(axis=0))
    assert not labels[~inside].any()
    if not fwhm:
        units = np.abs(MAPS).argmax(axis=0)
        assert np.array_equal(GRID.values(labels) - 1, units)


def test_units_under_a_press_are_those_whose_value_is_seen_there() -> None:
    voxel = tuple(int(at) for at in GRID.voxel_of_unit[9])
    units, shares = smoothing.units_under(GRID, voxel, fwhm=2.0, n=RAGGED.n_units)
    assert units[0] == 9
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(shares) <= 0).all()
    assert len(units) > 1
    seen = np.array(
        [
            smoothing._filtered(GRID.volume(np.eye(RAGGED.n_units)[u]), GRID, 2.0)[voxel]
            for u in units
        ]
    )
    np.testing.assert_allclose(shares, seen / seen.sum(), atol=2e-3)
    alone, whole = smoothing.units_under(GRID, voxel, fwhm=0.0)
    assert (alone.tolist(), whole.tolist()) == ([9], [1.0])
    assert not len(smoothing.units_under(GRID, (-1, 0, 0), fwhm=4.0)[0])


def test_more_smoothing_than_the_slider_has_is_refused() -> None:
    with pytest.raises(SettingsError, match="12 mm"):
        smoothing.smoothed(MAPS[0], GRID, fwhm=12.0)
