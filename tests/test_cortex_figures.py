import numpy as np

from app.figures import (
    cortex_projections,
    cortex_slices,
    cortex_surfaces,
    parcellation_slices,
)
from app.theme import PAPER, READING_ROOM

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
    (heatmap,) = picture.figure.data
    shown = np.asarray(heatmap.z)
    assert int((np.abs(np.nan_to_num(shown)) > 2).sum()) == int((np.abs(Z) > 2).sum())
    assert np.isnan(shown).sum() == shown.size - (np.isfinite(Z)).sum()
    assert (heatmap.zmin, heatmap.zmax) == (-6.0, 6.0)
    row, column = np.argwhere(shown == 9.0)[0]
    assert heatmap.customdata[row, column].tolist() == [2, 3 * 9 + 5]
    assert "Network 7" in picture.alternative
    assert len(picture.table) == 4


def test_projections_keep_the_strongest_value_on_each_line_of_sight():
    picture = cortex_projections(Z, network=0, threshold=0.0, limit=6.0, palette=READING_ROOM)
    above, front, side = (np.asarray(trace.z) for trace in picture.figure.data)
    assert above.shape == (6, 9)
    assert front.shape == (4, 9)
    assert side.shape == (4, 6)
    assert above[3, 5] == front[2, 5] == side[2, 3] == 9.0
    assert "layer 2, at x 5 of 9 and y 3 of 6" in picture.alternative


def test_surfaces_enclose_the_strongest_cells_in_the_networks_own_colours():
    volumes = [np.abs(np.nan_to_num(Z)), np.abs(np.nan_to_num(Z[::-1]))]
    picture = cortex_surfaces(volumes, networks=[1, 4], n_networks=8, palette=PAPER, share=0.9)
    first, second, body = picture.figure.data
    values = np.asarray(first.value)
    assert values.dtype == np.uint8
    # A tenth of the cells lie inside, up to the rounding to 8 bits.
    assert 0.05 < (values > first.isomin).mean() < 0.15
    assert first.colorscale != second.colorscale
    assert body.type == "mesh3d"
    assert np.asarray(body.i).max() < len(body.x)


def test_parcels_have_one_colour_each_and_none_below_the_threshold():
    labels = np.where(np.isnan(Z), -2, np.where(np.abs(Z) > 1, 2, -1))
    picture = parcellation_slices(labels, UNITS, n_networks=3, palette=PAPER, n_across=2)
    shown = np.asarray(picture.figure.data[0].z)
    assert int((shown == 2).sum()) == int((labels == 2).sum())
    assert picture.table["units"].tolist() == [0, 0, int((labels == 2).sum())]
