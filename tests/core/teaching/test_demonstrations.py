"""The small measurements of the lesson, on signals whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest
from toy_atlas import atlas_of

from fnprune_core.errors import SettingsError
from fnprune_core.teaching import demonstrations


def test_likeness_is_the_correlation_of_places_some_steps_apart() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 300))
    smooth = noise[:, :-1] + noise[:, 1:]  # neighbours share half
    smooth[0, 5] = np.nan
    found = demonstrations.likeness_along(smooth, (1, 2), axis=1)
    assert found[0] == pytest.approx(0.5, abs=0.03)
    assert found[1] == pytest.approx(0.0, abs=0.03)
    assert abs(demonstrations.likeness_along(smooth, (1,), axis=0)[0]) < 0.03
    assert np.isnan(demonstrations.likeness_along(np.ones((4, 9)), (1,), axis=1)[0])


def test_smoothing_spares_wide_peaks_and_waters_down_narrow_ones() -> None:
    wide, narrow = np.zeros((1, 2000)), np.zeros((1, 2000))
    wide[0, 900:1100] = 1.0
    narrow[0, ::200] = 1.0
    narrow[0, -50:] = np.nan
    left = demonstrations.peak_left(wide, (2.0,), axes=(1,))
    assert left[0] == pytest.approx(1.0, abs=1e-3)
    # a single cell keeps the middle of the kernel
    sd = 2.0 / 2.3548
    expected = 1 / np.exp(-0.5 * np.square(np.arange(-5, 6) / sd)).sum()
    assert demonstrations.peak_left(narrow, (2.0,), axes=(1,))[0] == pytest.approx(
        expected, rel=0.05
    )


def with_words(courses):
    """An atlas in which every seventh token is “bell”."""
    atlas = atlas_of(courses=courses)
    words = np.where(np.arange(len(atlas.tokens)) % 7 == 0, "bell", "dust")
    atlas.tokens = atlas.tokens.assign(text=words)
    return atlas


def test_event_average_finds_the_lag_and_stays_within_sessions() -> None:
    n = len(atlas_of().tokens)
    courses = np.random.default_rng(0).standard_normal((4, n)) * 0.1
    courses[1, 2::7] -= 5.0  # two tokens after the word, negative
    atlas = with_words(courses)
    found = demonstrations.event_average(atlas, 1, "bell", before=2, after=3)
    assert found.peak == 2
    assert found.mean.max() > 1
    assert found.left_after_one < 0.2
    usable = int(((atlas.tokens["text"] == "bell").to_numpy() & ~atlas.is_dummy).sum())
    assert found.n_events == usable
    with pytest.raises(SettingsError, match="nowhere"):
        demonstrations.event_average(atlas, 1, "silence")


def test_share_between_sessions() -> None:
    atlas = atlas_of()
    session = atlas.tokens["session"].to_numpy()
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((4, len(session)))
    courses[0] = session
    share = demonstrations.share_between_sessions(atlas_of(courses=courses))
    assert share[0] == pytest.approx(1.0)
    assert (share[1:] < 0.3).all()


def test_memberships_are_counted_over_alive_units() -> None:
    atlas = atlas_of()
    counts = demonstrations.networks_per_unit(atlas, z=1.0)
    members = (np.abs(atlas.maps) > 1.0)[:, atlas.decomposition.alive].sum(axis=0)
    assert counts.sum() == atlas.decomposition.alive.sum()
    assert counts[1] == (members == 1).sum()


def many_documents(courses, *, n_documents):
    """An atlas with many documents, in turn of two domains."""
    atlas = atlas_of(courses=courses)
    n = len(atlas.tokens)
    document = np.arange(n) * n_documents // n
    atlas.tokens = atlas.tokens.assign(
        document=pd.Categorical([f"document {d}" for d in document]),
        domain=pd.Categorical(np.where(document % 2 == 0, "a", "b")),
    )
    return atlas, document


def test_tokens_as_observations_cry_wolf_and_documents_do_not() -> None:
    """Nothing differs between conditions, but tokens of one document are alike."""
    rng = np.random.default_rng(1)
    n = len(atlas_of().tokens)
    by_documents, by_tokens = [], []
    for _ in range(60):
        document = np.arange(n) * 12 // n
        courses = 2 * rng.standard_normal((4, 12))[:, document] + rng.standard_normal((4, n))
        atlas, _ = many_documents(courses, n_documents=12)
        found = demonstrations.contrast(atlas, "a", "b")
        by_documents.append(found.n_significant(by="documents"))
        by_tokens.append(found.n_significant(by="tokens"))
    assert np.mean(by_documents) / 4 == pytest.approx(0.05, abs=0.035)
    assert np.mean(by_tokens) / 4 > 0.3


def test_a_true_difference_is_found_and_lost_when_shuffled() -> None:
    rng = np.random.default_rng(2)
    n = len(atlas_of().tokens)
    document = np.arange(n) * 16 // n
    courses = rng.standard_normal((4, n))
    courses[2] += 3.0 * (document % 2 == 0)
    atlas, _ = many_documents(courses, n_documents=16)
    found = demonstrations.contrast(atlas, "a", "b")
    # Welch alone gives far less: below one of all arrangements nothing can be told.
    assert found.p_documents[2] == 1 / math.comb(16, 8)
    assert found.difference[2] > 1
    assert found.n_documents == (8, 8)
    shuffled = [demonstrations.contrast(atlas, "a", "b", shuffle_seed=s) for s in range(20)]
    assert np.median([each.p_documents[2] for each in shuffled]) > 0.05


def test_a_contrast_needs_two_domains_with_documents() -> None:
    courses = np.random.default_rng(0).standard_normal((4, len(atlas_of().tokens)))
    atlas, _ = many_documents(courses, n_documents=2)
    with pytest.raises(SettingsError, match="at least two documents"):
        demonstrations.contrast(atlas, "a", "b")
    with pytest.raises(SettingsError, match="no domain"):
        demonstrations.contrast(atlas, "a", "klingon")
