import numpy as np

from fnprune_core.atlas.topography.places import fill_sheet, network_places, unit_targets
from fnprune_core.atlas.topography.sheet import sheet_cells, sheet_shape


def test_a_sheet_is_filled_in_the_order_of_the_targets():
    shape = sheet_shape(500)
    cells = sheet_cells(500, shape)
    rows, columns = np.divmod(cells, shape.n_columns)
    shuffled = np.random.default_rng(0).permutation(500)
    targets = np.stack([columns, rows], axis=1)[shuffled].astype(float)
    assert np.array_equal(fill_sheet(targets, cells, shape.n_columns), cells[shuffled])


def test_networks_with_like_maps_are_near_and_none_share_a_place():
    rng = np.random.default_rng(0)
    shared = rng.laplace(size=(4, 2000))
    maps = np.repeat(shared, 4, axis=0) + 0.5 * rng.laplace(size=(16, 2000))
    places = network_places(maps)
    assert len(np.unique(places, axis=0)) == 16
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    is_alike = np.kron(np.eye(4), np.ones((4, 4))) - np.eye(16) > 0
    assert apart[is_alike].mean() < 0.7 * apart[~is_alike & ~np.eye(16, dtype=bool)].mean()


def test_a_unit_is_drawn_to_its_strongest_network_whatever_the_sign():
    maps = np.array([[5.0, 0.0, -1.0], [0.0, -5.0, 1.0]])
    places = np.array([[0.1, 0.2], [0.9, 0.8]])
    assert np.allclose(unit_targets(maps, places), [[0.1, 0.2], [0.9, 0.8], [0.5, 0.5]])
