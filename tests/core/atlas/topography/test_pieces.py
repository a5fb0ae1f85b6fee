"""Pieces of a map, and choices that lie far apart, on volumes that can be counted by hand."""

import numpy as np

from fnprune_core.atlas.topography.pieces import far_apart, largest_piece


def test_the_largest_piece_is_what_hangs_together_with_its_centre() -> None:
    volume = np.zeros((4, 10, 10))
    volume[1, 2:4, 2:4] = 2  # four cells that touch
    volume[3, 8, 8] = 2
    volume[0, 9, 0] = 2
    share, centre = largest_piece(volume, 1)
    assert share == 4 / 6
    np.testing.assert_allclose(centre, [1.5 / 4, 0.3, 0.3])
    assert largest_piece(volume, 5)[0] == 0


def test_choices_are_in_turn_the_farthest_from_those_before() -> None:
    places = np.array([0.0, 0.1, 1.0, 0.45])
    distances = np.abs(places[:, None] - places[None])
    assert far_apart(distances, 3) == [0, 2, 3]
    assert far_apart(distances, 9) == [0, 2, 3, 1]
    assert far_apart(np.zeros((0, 0)), 2) == []
