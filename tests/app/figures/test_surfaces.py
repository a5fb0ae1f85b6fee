import numpy as np
import pytest
from drawings import ball

from app.figures.surfaces import coarser, surface


def test_a_surface_is_closed_looks_outward_and_has_the_size_of_what_it_encloses():
    mesh = surface(ball(7.3), 0.0)
    triangles = mesh.triangles.astype(int)
    sides = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    # Each side belongs to two triangles, which run along it in opposite directions.
    assert len(np.unique(sides, axis=0)) == len(sides)
    assert {tuple(side) for side in sides} == {tuple(side[::-1]) for side in sides}
    p = mesh.points[triangles].astype(float) - 9.5
    volume = np.einsum("td,td->", p[:, 0], np.cross(p[:, 1], p[:, 2])) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 7.3**3, rel=0.03)
    assert np.linalg.norm(mesh.points - 9.5, axis=1) == pytest.approx(7.3, abs=0.25)


def test_a_surface_closes_where_the_volume_ends():
    mesh = surface(np.ones((3, 4, 5)), 0.5)
    assert mesh.points.min(axis=0) == pytest.approx([-0.5] * 3, abs=0.35)
    assert mesh.points.max(axis=0) == pytest.approx([4.5, 3.5, 2.5], abs=0.35)


def test_coarser_volumes_keep_their_mean_and_their_place():
    volume = np.broadcast_to(np.arange(12.0), (3, 10, 12))
    small, side = coarser(volume, 100)
    assert small.shape == (3, 5, 6)
    assert side == 2
    assert small[0, 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5, 10.5]
    same, side = coarser(volume, 1000)
    assert side == 1
    assert np.array_equal(same, volume)
