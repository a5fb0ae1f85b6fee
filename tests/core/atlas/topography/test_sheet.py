import numpy as np
import pytest

from fnprune_core.atlas.topography.sheet import sheet_cells, sheet_shape


@pytest.mark.parametrize("width", [1536, 11008, 97, 3072, 40])
def test_a_sheet_is_an_egg_with_a_cell_for_each_unit_its_narrow_end_in_front(width):
    shape = sheet_shape(width)
    cells = sheet_cells(width, shape)
    assert len(np.unique(cells)) == width
    is_egg = np.zeros(shape.n_cells, dtype=bool)
    is_egg[cells] = True
    is_egg = is_egg.reshape(shape.n_rows, shape.n_columns)
    breadth = is_egg.sum(axis=1)
    # Rows are as many before the centre as behind it, so that one may be empty.
    assert (breadth == 0).sum() <= 1
    assert is_egg.any(axis=0).all()
    assert 0.7 < breadth.max() / shape.n_rows < 0.9
    assert shape.n_cells < 1.6 * width
    assert (is_egg ^ is_egg[:, ::-1]).sum() <= 2  # left as right, but for ties
    third = shape.n_rows // 3
    assert breadth[-third:].sum() < 0.95 * breadth[:third].sum()
    for line in (*is_egg[breadth > 0], *is_egg.T):  # no holes
        assert np.ptp(np.flatnonzero(line)) + 1 == line.sum()


def test_a_narrow_layer_is_a_smaller_egg_in_the_middle_of_the_widest():
    shape = sheet_shape(1536)
    wide, narrow = sheet_cells(1536, shape), sheet_cells(700, shape)
    assert np.isin(narrow, wide).all()
    rows, columns = np.divmod(narrow, shape.n_columns)
    assert abs(columns.mean() - shape.n_columns // 2) < 0.1
    assert abs(rows.mean() - shape.n_rows // 2) < 3


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_handful_of_units_has_a_sheet_too(width):
    assert len(np.unique(sheet_cells(width, sheet_shape(width)))) == width
