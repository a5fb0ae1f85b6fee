import numpy as np
import pytest

from app.atlas.networks.map import of_pole
from app.atlas.networks.options import of_pole as values_of_pole
from app.figures.maps import cell_at, cortex_projections, cortex_slices, mark_cell, unit_at
from app.figures.theme import PAPER, READING_ROOM

SHAPE = (4, 6, 9)
RNG = np.random.default_rng(0)
Z = RNG.standard_normal(SHAPE).astype(np.float32)
Z[2, 3, 5] = 9.0
Z[0, 5, 8] = np.nan  # an empty cell
UNITS = np.where(np.isnan(Z), -1, np.arange(54).reshape(6, 9)[None] + np.zeros(SHAPE)).astype(int)


def test_slices_show_every_unit_above_the_threshold_once_and_empty_cells_empty():
    picture = cortex_slices(
        Z, UNITS, network=7, threshold=2.0, limit=6.0, palette=PAPER, n_across=3
    )
    heatmap, profile, numbers = picture.figure.data
    assert list(numbers.text) == ["0", "1", "2", "3"]
    shown = np.asarray(heatmap.z)
    assert int((np.abs(np.nan_to_num(shown)) > 2).sum()) == int((np.abs(Z) > 2).sum())
    assert np.isnan(shown).sum() == shown.size - (np.isfinite(Z)).sum()
    assert (heatmap.zmin, heatmap.zmax) == (-6.0, 6.0)
    assert heatmap.colorbar.tickvals == (-6.0, -2.0, 2.0, 6.0)
    row, column = np.argwhere(shown == 9.0)[0]
    assert heatmap.customdata[row, column].tolist() == [2, 3 * 9 + 5]
    assert "Network 7" in picture.alternative
    above = (np.abs(np.nan_to_num(Z)) > 2).sum(axis=(1, 2))
    np.testing.assert_allclose(profile.x, above / [53, 54, 54, 54] * 100, rtol=1e-5)


def test_a_click_on_a_slice_is_the_cell_that_was_drawn_there():
    picture = cortex_slices(
        Z, UNITS, network=7, threshold=0.0, limit=6.0, palette=PAPER, n_across=3
    )
    shown = np.asarray(picture.figure.data[0].z)
    seen = set()
    for y, x in np.ndindex(shown.shape):
        cell = cell_at(SHAPE, x, y, n_across=3)
        if cell is not None and np.isfinite(Z[cell]):
            assert shown[y, x] == Z[cell]
            seen.add(cell)
        else:
            assert np.isnan(shown[y, x])
    assert len(seen) == np.isfinite(Z).sum()
    mark_cell(picture, (2, 3, 5), SHAPE, PAPER, n_across=3)
    ring = picture.figure.data[-1]
    assert cell_at(SHAPE, ring.x[0], ring.y[0], n_across=3) == (2, 3, 5)


def test_large_maps_go_to_the_browser_in_bytes_with_their_gaps_clear():
    volume = RNG.standard_normal((32, 86, 128)).astype(np.float32)
    volume[3, 4, 5], volume[:, -1, -1] = 12.0, np.nan
    units = np.broadcast_to(np.arange(86 * 128).reshape(86, 128), volume.shape)
    picture = cortex_slices(volume, units, network=0, threshold=3.0, limit=9.0, palette=PAPER)
    heatmap = picture.figure.data[0]
    shown = np.asarray(heatmap.z)
    assert shown.dtype == np.int8
    assert (shown == -128).sum() == shown.size - np.isfinite(volume).sum()
    assert (shown == 127).sum() == (volume >= 9 * 126.5 / 127).sum()
    scale = heatmap.colorscale
    assert scale[0][1] == "rgba(0,0,0,0)"
    assert scale[1][0] < 1 / 255 <= scale[3][0] + 1e-9  # only the lowest step is clear
    assert len(picture.figure.to_json()) < 3e6


def test_projections_keep_the_strongest_value_on_each_line_of_sight_inside_the_body():
    picture = cortex_projections(Z, network=0, threshold=0.5, limit=6.0, palette=READING_ROOM)
    front, side, above, profile = picture.figure.data
    front, side, above = (np.asarray(trace.z) for trace in (front, side, above))
    assert above.shape == (6, 9)
    assert front.shape == (4, 9)
    assert side.shape == (4, 6)
    assert above[3, 5] == front[2, 5] == side[2, 3] == 9.0
    assert not (np.abs(np.nan_to_num(above, nan=9.0)) <= 0.5).any()
    assert len(picture.figure.layout.shapes) == 3
    assert "layer 2, at x 5 of 9 and y 3 of 6" in picture.alternative
    assert len(profile.x) == 4


def test_a_column_of_the_flat_map_is_its_strongest_unit_in_either_order():
    values = np.array([[0.1, -5.0, 2.0, 0.3, 1.0], [1.0, 2.0, 3.0, np.nan, np.nan]])
    labels = np.array([[1, 0, 1, 0, 0], [0, 1, 0, -1, -1]])
    assert unit_at(values, None, 0, 0, n_columns=3) == 1
    assert unit_at(values, None, 0, 4, n_columns=3) == 4
    # Grouped by network, the first layer is 1, 3, 4 and then 0, 2.
    assert [unit_at(values, labels, 0, c, n_columns=5) for c in range(5)] == [1, 3, 4, 0, 2]
    assert unit_at(values, labels, 1, 3, n_columns=5) is None


@pytest.mark.parametrize(
    ("pole", "said", "column", "other"),
    [(1, "z above 1", "z > 1", "smallest z"), (-1, "z below −1", "z < −1", "largest z")],
)
def test_the_sentence_and_the_numbers_of_a_pole_are_of_that_pole_alone(pole, said, column, other):
    picture = cortex_slices(
        values_of_pole(Z, pole), UNITS, network=0, threshold=1.0, limit=6.0, palette=PAPER
    )
    shown = of_pole(picture, pole, 1.0)
    assert f"have {said}" in shown.alternative
    assert "|z|" not in shown.alternative
    assert other not in shown.table
    assert shown.table[f"units with {column}"].tolist() == [
        int((pole * np.nan_to_num(sheet) > 1).sum()) for sheet in Z
    ]
