import numpy as np
import pytest

from app.atlas.networks.map import of_pole
from app.atlas.networks.options import of_pole as values_of_pole
from app.figures.maps import network_map, unit_at
from app.figures.theme import PAPER

Z = np.random.default_rng(0).normal(0, 2, (4, 54)).astype(np.float32)


def test_a_column_of_the_flat_map_is_its_strongest_unit_in_either_order():
    values = np.array([[0.1, -5.0, 2.0, 0.3, 1.0], [1.0, 2.0, 3.0, np.nan, np.nan]])
    labels = np.array([[1, 0, 1, 0, 0], [0, 1, 0, -1, -1]])
    assert unit_at(values, None, 0, 0, n_columns=3) == 1
    assert unit_at(values, None, 0, 4, n_columns=3) == 4
    # Grouped by network, the first layer is 1, 3, 4 and then 0, 2.
    assert [unit_at(values, labels, 0, c, n_columns=5) for c in range(5)] == [1, 3, 4, 0, 2]
    assert unit_at(values, labels, 1, 3, n_columns=5) is None


@pytest.mark.parametrize(("pole", "said"), [(1, "z above 1"), (-1, "z below −1")])
def test_the_sentence_of_a_pole_is_of_that_pole_alone(pole, said):
    values = values_of_pole(Z, pole)
    picture = network_map(
        values, (np.abs(values) > 1).mean(axis=1), network=0, threshold=1.0, limit=6.0,
        palette=PAPER,
    )  # fmt: skip
    shown = of_pole(picture, pole, 1.0)
    assert said in shown.alternative
    assert "|z|" not in shown.alternative
