"""The grey anatomy: ranks by layer, dark outside, a rim, and the same place as the maps."""

import nibabel as nib
import numpy as np
import pytest
from scipy.stats import spearmanr
from toy_volumes import GRID, RAGGED

from fnprune_core.atlas.images.anatomy import (
    anatomy,
    anatomy_image,
    margins,
    outliers_in_layers,
    typical_activity,
)
from fnprune_core.atlas.images.voxels import closing_widths, grid_of
from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((600, 600, 600, 590))
WIDE = grid_of(LAYOUT, None)
TALL = grid_of(UnitLayout((80,) * 20), None)
#: Of a sheet, cells that lie deeper than any rim.
DEEP = (slice(12, -12),) * 2


def maps(layout=LAYOUT, *, n=5):
    return np.random.default_rng(0).standard_normal((n, layout.n_units)).astype(np.float32)


def test_activity_is_the_rank_of_the_sum_of_squares_within_each_layer() -> None:
    z = maps()
    z[:, LAYOUT.layer_slice(1)] *= 50  # a layer that is louder as a whole is not brighter
    activity = typical_activity(z, LAYOUT)
    for found, power in zip(
        LAYOUT.split(activity), LAYOUT.split(np.square(z).sum(axis=0)), strict=True
    ):
        assert np.array_equal(np.argsort(found), np.argsort(power))
        assert (found.min(), found.max()) == (0, 1)
    assert np.array_equal(typical_activity(-z[::-1], LAYOUT), activity)


def test_units_that_are_equally_active_are_equally_bright() -> None:
    z = np.zeros((2, RAGGED.n_units))
    z[0, 3] = 1
    first, *others = RAGGED.split(typical_activity(z, RAGGED))
    assert len(np.unique(first)) == 2
    assert first.argmax() == 3
    assert all(len(np.unique(layer)) == 1 for layer in others)
    assert np.array_equal(typical_activity(np.ones((1, 1)), UnitLayout((1,))), [0])


def test_units_that_stand_out_are_told_by_how_far() -> None:
    """A few sink units are thousands of times the rest: ranks would show them like the next."""
    values = np.random.default_rng(1).uniform(0.5, 1.0, LAYOUT.n_units)
    values[[3, 700]] = 5_000, 50
    parts = LAYOUT.split(outliers_in_layers(values, LAYOUT))
    assert parts[0][3] == parts[1][100] == 1
    assert np.sort(parts[0])[-2] < 0.1
    assert all(np.mean(part < 1e-3) >= 0.5 for part in parts)
    assert not outliers_in_layers(np.zeros(LAYOUT.n_units), LAYOUT).any()
    with pytest.raises(NonFiniteError, match="negative"):
        outliers_in_layers(-values, LAYOUT)


def test_maps_of_another_model_or_without_numbers_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"\(5, 2390\).*24"):
        typical_activity(maps(), RAGGED)
    broken = maps()
    broken[0, 7] = np.nan
    with pytest.raises(NonFiniteError):
        typical_activity(broken, LAYOUT)


def inside(body, grid):
    """Return the part of an anatomy that the maps fill."""
    return body[margins(grid.shape[2]).inside(grid.shape)]


@pytest.mark.parametrize("grid", [WIDE, GRID, TALL])
def test_the_body_is_where_units_are_and_closes_in_the_dark(grid) -> None:
    values = typical_activity(maps(grid.layout), grid.layout)
    body, around = anatomy(values, grid), margins(grid.shape[2])
    assert np.array_equal(inside(body, grid) > 0, grid.unit_of_voxel >= 0)
    for axis in (0, 1):
        ends = np.take(body, [*range(around.side), *range(-around.side, 0)], axis=axis)
        assert not ends.any()
    sizes = np.count_nonzero(body, axis=(0, 1))
    n_below, n_above = (len(widths) for widths in closing_widths(grid.shape[2]))
    assert np.flatnonzero(sizes).tolist() == list(
        range(around.below - n_below, around.below + grid.shape[2] + n_above)
    )
    widest = sizes.argmax()
    assert np.all(np.diff(sizes[: widest + 1]) >= 0) or grid is GRID  # widths of GRID are ragged
    assert np.all(np.diff(sizes[widest:]) <= 0) or grid is GRID


def test_a_body_of_many_layers_ends_in_small_slices() -> None:
    for widths in closing_widths(40):
        assert np.all(np.diff(np.concatenate([[1.0], widths])) < 0)
        assert widths[-1] < 0.4
    assert sum(len(widths) for widths in closing_widths(2)) == 0


def test_an_even_body_is_even_tissue_in_a_brighter_rim() -> None:
    body = inside(anatomy(np.full(LAYOUT.n_units, 0.3), WIDE).astype(int), WIDE)[:, :, 1]
    edge = body[np.flatnonzero(body[:, body.shape[1] // 2])[0], body.shape[1] // 2]
    assert np.ptp(body[DEEP]) <= 1
    assert edge > body[DEEP].max() + 60


def test_more_active_tissue_is_brighter_whatever_the_rest_of_the_scale() -> None:
    x = np.arange(WIDE.shape[0])[:, None, None] * np.ones(WIDE.shape)
    values = WIDE.values(x) / x.max()
    grey = inside(anatomy(values, WIDE), WIDE)[DEEP][:, :, 1].mean(axis=1)
    assert spearmanr(grey, np.arange(len(grey))).statistic > 0.99
    assert np.ptp(grey) > 40
    assert np.array_equal(anatomy(values + 7, WIDE), anatomy(values, WIDE))  # about its median


def test_the_image_lies_where_the_maps_lie() -> None:
    image = anatomy_image(np.linspace(0, 1, RAGGED.n_units), GRID, note="anatomy of é")
    assert image.get_data_dtype() == np.uint8
    voxel = GRID.voxel_of_unit[4]
    here = nib.affines.apply_affine(GRID.affine, voxel)
    assert np.allclose(
        nib.affines.apply_affine(image.affine, voxel + margins(GRID.shape[2]).low), here
    )
    again = nib.Nifti1Image.from_bytes(image.to_bytes())
    assert np.array_equal(np.asanyarray(again.dataobj), np.asanyarray(image.dataobj))
