import numpy as np
import pytest
from drawings import a_matrix, similarity

from app.figures.matrix import limit_of, pair_scale
from app.figures.theme import PALETTES


def test_matrix_stands_in_the_order_and_leaves_the_diagonal_out() -> None:
    heatmap = a_matrix().figure.data[0]
    shown, values = np.asarray(heatmap.z), similarity(6)
    assert np.isnan(np.diag(shown)).all()
    assert shown[0, 2] == pytest.approx(values[5, 3])
    assert heatmap.zmin == -heatmap.zmax == pytest.approx(-limit_of(values))
    assert heatmap.text[0, 2].startswith("5 · ")
    boxes = [shape.x0 for shape in a_matrix().figure.layout.shapes]
    assert boxes == [-0.5, 3.5, -0.5, 1.5], "the selected network's row, column, then blocks"
    table = a_matrix().table
    assert abs(table["Connectivity"].iloc[0]) == np.abs(table["Connectivity"]).max()


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_scale_of_pairs_is_grey_at_zero_and_symmetric_if_signed(palette) -> None:
    signed, plain = (pair_scale(palette, is_signed=s) for s in (True, False))
    assert dict(signed)[0.5] == plain[0][1] == palette.silhouette
    assert (signed[0][1], signed[-1][1]) == (palette.cold[-1], palette.hot[-1])
    stops = np.array([stop for stop, _ in signed])
    np.testing.assert_allclose(stops + stops[::-1], 1.0)


def test_matrix_of_many_networks_stays_small() -> None:
    assert len(a_matrix(128).figure.to_json()) < 3e6
    assert len(a_matrix(100).figure.to_json()) < 3e6
