import numpy as np
import pytest
from toy_atlas import long_atlas

from fnprune_core.atlas import dynamic_connectivity
from fnprune_core.atlas.dynamic_connectivity import SlidingWindows
from fnprune_core.errors import SettingsError


def changing(session_length: int = 400, n_sessions: int = 3) -> np.ndarray:
    """Networks 0 and 1 are coupled in the second half of session 1 alone."""
    rng = np.random.default_rng(5)
    courses = rng.standard_normal((3, session_length * n_sessions)).astype(np.float32)
    coupled = slice(session_length + session_length // 2, 2 * session_length)
    courses[1, coupled] = courses[0, coupled] + 0.3 * courses[1, coupled]
    return courses


def test_dynamic_connectivity_finds_a_planted_change() -> None:
    atlas = long_atlas(changing(), session_length=400)
    windows = SlidingWindows(width=48, step=4)
    dynamic = dynamic_connectivity.dynamic_connectivity(atlas, windows=windows)
    values = dynamic.of_pair(1, 0)
    inside = (dynamic.session == 1) & (dynamic.position >= 200 + 24)
    outside = (dynamic.session != 1) | (dynamic.position < 200 - 24)
    assert values[inside].min() > 0.8
    assert np.abs(values[outside]).max() < 0.6
    low, high = dynamic_connectivity.stationary_band(atlas, 0, [1, 2], session=0, windows=windows)
    still = np.stack([dynamic.of_pair(0, k)[dynamic.session == 0] for k in (1, 2)])
    assert (still.min(axis=1) >= low).all()
    assert (still.max(axis=1) <= high).all()
    _, high = dynamic_connectivity.stationary_band(atlas, 0, [1], session=1, windows=windows)
    assert values[inside].max() > high[0]


def test_windows_never_cross_sessions_nor_hold_dummy_tokens() -> None:
    """Everything outside session 1 is made enormous: its windows must not notice."""
    courses = changing()
    loud = courses.copy()
    loud[:, :400] *= 1e4
    loud[:, 800:] *= -1e4
    loud[:, 400:402] = 1e6
    windows = SlidingWindows(width=40, step=3)
    plain, disturbed = (
        dynamic_connectivity.dynamic_connectivity(
            long_atlas(c, session_length=400), windows=windows
        )
        for c in (courses, loud)
    )
    of_session = plain.session == 1
    np.testing.assert_allclose(plain.pairs[of_session], disturbed.pairs[of_session], atol=1e-6)
    assert np.bincount(plain.session).tolist() == [len(windows.starts(398))] * 3
    assert plain.position.min() >= 2 + 20


def test_one_rectangular_window_is_the_plain_correlation() -> None:
    courses = changing()[:, :400]
    atlas = long_atlas(courses, session_length=400)
    whole = SlidingWindows(width=398, taper=0.0)
    dynamic = dynamic_connectivity.dynamic_connectivity(atlas, windows=whole)
    np.testing.assert_allclose(dynamic.matrix(0), np.corrcoef(courses[:, 2:]), atol=1e-5)


def test_sessions_shorter_than_a_window_are_refused() -> None:
    atlas = long_atlas(changing(), session_length=40)
    with pytest.raises(SettingsError, match="64 tokens"):
        dynamic_connectivity.dynamic_connectivity(atlas)
    with pytest.raises(SettingsError, match="Session 1 has 38 tokens, too few for windows of 64"):
        dynamic_connectivity.stationary_band(atlas, 0, [1], session=1)


def test_states_separate_the_planted_coupling() -> None:
    atlas = long_atlas(changing(), session_length=400)
    dynamic = dynamic_connectivity.dynamic_connectivity(
        atlas, windows=SlidingWindows(width=48, step=8)
    )
    states = dynamic_connectivity.connectivity_states(dynamic, n_states=2)
    coupled = (dynamic.session == 1) & (dynamic.position >= 224)
    assert set(states.label[coupled]) == {1}, "the rarer state"
    assert states.centres[1, 0, 1] > 0.7 > 0.3 > abs(states.centres[0, 0, 1])
    assert states.share.sum() == pytest.approx(1)
