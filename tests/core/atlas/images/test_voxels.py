import json

import nibabel as nib
import numpy as np
import pytest
from toy_volumes import GRID, NAMES, RAGGED, SIDECAR, atlas, cortex

from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.voxels import (
    VoxelGrid,
    cell_widths,
    grid_as_json,
    grid_of,
    read_sidecar,
    sheet_grid,
)
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout


@pytest.mark.parametrize(
    ("widths", "placed"),
    [((7, 12, 5), True), ((1,), True), ((12, 12), True), ((97, 40), False), ((7, 12, 5), False)],
)
def test_each_unit_has_a_voxel_of_its_own_in_its_layer(widths, placed) -> None:
    layout = UnitLayout(widths)
    grid = sheet_grid(layout, cortex(layout) if placed else None)
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
    for layout in (
        RAGGED,
        UnitLayout((1536,) * 30),
        UnitLayout((640,) * 90),
        UnitLayout((11008,) * 4),
    ):
        grid = grid_of(layout, None)
        extent = np.diag(grid.affine)[:3] * grid.shape
        assert extent[2] >= 0.54 * max(extent[:2])
        assert nib.aff2axcodes(grid.affine) == ("R", "A", "S")
        assert extent[:2].max() <= 170
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


BODIES = [(1536,) * 30, (11008,) * 3, (7, 12, 5), (1536, 700, 97, 1), (40,), (1,) * 5]


@pytest.mark.parametrize("widths", BODIES)
def test_every_unit_owns_a_voxel_of_the_body_and_images_lead_back_exactly(widths) -> None:
    layout = UnitLayout(widths)
    grid = grid_of(layout, cortex(layout) if max(widths) <= 12 else None)
    n_voxels = np.bincount(grid.unit_of_voxel[grid.unit_of_voxel >= 0], minlength=layout.n_units)
    assert n_voxels.min() >= 1
    voxels = grid.voxel_of_unit
    assert np.array_equal(grid.unit_of_voxel[tuple(voxels.T)], np.arange(layout.n_units))
    assert np.array_equal(voxels[:, 2], layout.layer_of_unit)
    values = np.random.default_rng(0).laplace(size=(2, layout.n_units)).astype(np.float32) + 9
    sidecar = {**grid_as_json(grid), "atlas_id": "a", "fingerprint": "f"}
    image = volumes.compressed(volumes.image(grid, values), level=1)
    found = volumes.read_image(image, json.dumps(sidecar).encode())
    assert np.array_equal(found.values, values)
    assert found.n_outside == 0
    assert np.array_equal(found.sidecar.grid.unit_of_voxel, grid.unit_of_voxel)


def test_the_body_is_widest_near_the_middle_narrows_to_both_ends_and_has_no_holes() -> None:
    grid = grid_of(UnitLayout((1536,) * 30), None)
    filled = grid.unit_of_voxel >= 0
    areas = filled.sum(axis=(0, 1))
    widths = cell_widths(30)
    widest = int(widths.argmax())
    assert 10 <= widest <= 16
    assert areas[widest] > 0.98 * areas.max()
    assert np.all(np.diff(widths[: widest + 1]) > 0)
    assert np.all(np.diff(widths[widest:]) < 0)
    assert areas[-1] == 1536  # a cell is a voxel there
    assert areas[-1] < areas[0] < 0.6 * areas[widest]
    outlines = filled.any(axis=2), filled.any(axis=1), filled.any(axis=0)
    for lines in (*np.moveaxis(filled, 2, 0), *outlines):
        for line in (*lines, *lines.T):
            assert not line.any() or np.ptp(np.flatnonzero(line)) + 1 == line.sum()
    for layer in range(30):
        x, _ = np.nonzero(filled[:, :, layer])
        assert abs(x.mean() - (grid.shape[0] - 1) / 2) < 0.6


def test_neighbours_in_a_sheet_are_neighbours_in_the_body() -> None:
    """A unit's voxels are one block, and its column of cells stands over one place."""
    layout = UnitLayout((300,) * 8)
    sheets, body = sheet_grid(layout, None), grid_of(layout, None)
    middle = (np.array(sheets.shape) - 1) / 2, (np.array(body.shape) - 1) / 2
    widths = cell_widths(8)[layout.layer_of_unit][:, None]
    expected = (sheets.voxel_of_unit - middle[0])[:, :2] * widths + middle[1][:2]
    assert np.abs(body.voxel_of_unit[:, :2] - expected).max() <= 1


def test_a_unit_s_value_fills_its_voxels_and_is_read_from_their_middle() -> None:
    unit = np.zeros((3, 3, 1), dtype=np.int64)
    unit[2], unit[0, 0] = 1, -1
    grid = VoxelGrid(layout=UnitLayout((2,)), unit_of_voxel=unit)
    assert grid.voxel_of_unit.tolist() == [[1, 1, 0], [2, 1, 0]]
    volume = grid.volume(np.array([5.0, 7.0]), fill=-1)
    assert volume[:, :, 0].tolist() == [[-1, 5, 5], [5, 5, 5], [7, 7, 7]]
    volume[0, 1], volume[2, 0] = 100, 100  # beside the middle
    assert grid.values(volume).tolist() == [5, 7]


@pytest.mark.parametrize("unit", [[[0, 1], [1, 3]], [[0, 0], [1, 1]]], ids=["strange", "missing"])
def test_a_grid_without_a_unit_or_with_one_of_another_layer_is_refused(unit) -> None:
    with pytest.raises(SettingsError, match="Not every unit"):
        VoxelGrid(layout=UnitLayout((2, 1)), unit_of_voxel=np.array([unit]))


def test_sidecars_of_version_1_are_read_as_before() -> None:
    """Files written when a sheet was a rectangle and a unit one voxel still lead to units."""
    grid = sheet_grid(RAGGED, cortex())
    facts = {**json.loads(SIDECAR), "schema_version": 1}
    maps = volumes.volume_files(atlas(), grid, NAMES, z=1.0)["atlas-a1_stat-z_statmap.nii.gz"]
    found = volumes.read_image(maps, json.dumps(facts).encode())
    assert np.array_equal(found.values, atlas().maps)
