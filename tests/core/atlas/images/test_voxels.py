import json

import nibabel as nib
import numpy as np
import pytest
from toy_volumes import GRID, NAMES, RAGGED, SIDECAR, cortex

from fnprune_core.atlas.images.voxels import grid_of, read_sidecar
from fnprune_core.models.layout import UnitLayout


@pytest.mark.parametrize(
    ("widths", "placed"),
    [((7, 12, 5), True), ((1,), True), ((12, 12), True), ((97, 40), False), ((7, 12, 5), False)],
)
def test_each_unit_has_a_voxel_of_its_own_in_its_layer(widths, placed) -> None:
    layout = UnitLayout(widths)
    grid = grid_of(layout, cortex(layout) if placed else None)
    voxels = grid.voxel_of_unit
    assert np.array_equal(voxels[:, 2], layout.layer_of_unit)
    assert np.array_equal(grid.unit_of_voxel[tuple(voxels.T)], np.arange(layout.n_units))
    values = np.random.default_rng(0).standard_normal((2, layout.n_units))
    assert np.array_equal(grid.values(grid.volume(values)), values)
    assert np.count_nonzero(grid.volume(np.ones(layout.n_units))) == layout.n_units


def test_voxels_are_column_row_and_layer_of_the_cortex() -> None:
    placed = cortex()
    layer, row, column = placed.position(np.array([9])).T
    assert np.array_equal(GRID.voxel_of_unit[9], [column[0], row[0], layer[0]])
    assert grid_of(RAGGED, None).placement == "index"


def test_few_layers_are_no_sliver_and_the_volume_is_centred_upright() -> None:
    for layout in (RAGGED, UnitLayout((1536,) * 30), UnitLayout((640,) * 90)):
        grid = grid_of(layout, None)
        extent = np.diag(grid.affine)[:3] * grid.shape
        assert extent[2] >= 0.75 * max(extent[:2])
        assert nib.aff2axcodes(grid.affine) == ("R", "A", "S")
        middle = (np.array(grid.shape) - 1) / 2
        assert np.allclose(nib.affines.apply_affine(grid.affine, middle), 0)
        assert np.array_equal(grid.affine.astype(np.float32), grid.affine)


def test_sidecar_leads_from_a_voxel_to_layer_and_index() -> None:
    found = json.loads(SIDECAR)
    index = np.array(found["index_of_voxel"])
    columns = found["shape"][0]
    for unit in range(RAGGED.n_units):
        x, y, z = GRID.voxel_of_unit[unit]
        assert RAGGED.flat(int(z), int(index[z, x + columns * y])) == unit
    assert (index < 0).sum() == 3 * 12 - RAGGED.n_units
    assert (found["atlas_id"], found["fingerprint"], found["z_threshold"]) == ("a1", "model-1", 1.0)
    assert [row["name"] for row in found["networks"]] == list(NAMES)
    assert np.array_equal(read_sidecar(SIDECAR).grid.unit_of_voxel, GRID.unit_of_voxel)
