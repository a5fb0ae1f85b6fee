"""Connectivity over time, as figures that random directions have, too."""

import numpy as np
import pytest
from toy_atlas import atlas_of, long_atlas

from fnprune_core.atlas.chance.over_time import figures, share_in_one_domain, share_that_changes
from fnprune_core.atlas.dynamic_connectivity import SlidingWindows

WINDOWS = SlidingWindows(width=48, step=8)


def coupled(*, changes: bool) -> np.ndarray:
    """Two networks that go together throughout, or in half of each of three sessions alone."""
    rng = np.random.default_rng(5)
    courses = rng.standard_normal((2, 1200)).astype(np.float32)
    together = (np.arange(1200) % 400 >= 200) | (not changes)
    courses[1, together] = courses[0, together] + 0.3 * courses[1, together]
    return courses


@pytest.mark.parametrize("changes", [True, False])
def test_pairs_leave_the_band_where_their_coupling_changes(changes) -> None:
    atlas = long_atlas(coupled(changes=changes), session_length=400)
    found = share_that_changes(atlas, windows=WINDOWS)
    assert (found > 0.9) if changes else (found < 0.2)


def test_states_lie_in_one_domain_where_connectivity_follows_it() -> None:
    rng = np.random.default_rng(1)
    courses = rng.standard_normal((2, 240))
    windows = SlidingWindows(width=30, step=5)
    n_prose = share_in_one_domain(
        atlas_of(courses=courses, maps=np.eye(2, 100)), windows=windows, n_states=2
    )
    assert n_prose == pytest.approx(5 / 6, abs=0.01)  # one of six sessions is code
    courses[1, 200:] = courses[0, 200:]  # in code they go together
    follows = share_in_one_domain(
        atlas_of(courses=courses, maps=np.eye(2, 100)), windows=windows, n_states=2
    )
    assert follows == 1


def test_sessions_shorter_than_a_window_give_no_figures() -> None:
    assert figures(atlas_of()) == {}
