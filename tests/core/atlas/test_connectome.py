"""Connectivity against numpy, planted chains and blocks."""

import numpy as np
import pytest
from nilearn.connectome import ConnectivityMeasure
from scipy.cluster.hierarchy import linkage
from toy_atlas import N_SESSIONS, N_TOKENS, WINDOW, atlas_of, long_atlas, token_table

from fnprune_core.atlas import connectome
from fnprune_core.errors import SettingsError


def test_connectivity_is_numpys_correlation_over_usable_tokens() -> None:
    atlas = atlas_of()
    used = atlas.time_courses[:, ~atlas.is_dummy]
    np.testing.assert_allclose(connectome.connectivity(atlas), np.corrcoef(used), atol=1e-6)


def test_within_sessions_what_only_tells_texts_apart_is_gone() -> None:
    """Two networks that are merely on in the same sessions correlate, but not inside them."""
    rng = np.random.default_rng(1)
    shared = np.repeat(rng.normal(0, 5, N_SESSIONS), WINDOW)
    courses = rng.standard_normal((4, N_TOKENS)) + np.array([[1.0], [1], [0], [0]]) * shared
    atlas = atlas_of(courses=courses)
    assert connectome.connectivity(atlas)[0, 1] > 0.8
    assert abs(connectome.connectivity(atlas, within_sessions=True)[0, 1]) < 0.2


def chain(n: int, n_tokens: int) -> np.ndarray:
    """Each network is driven by the one before: only neighbours depend given the others."""
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((n, n_tokens))
    for k in range(1, n):
        courses[k] += 0.9 * courses[k - 1]
    return courses


def test_partial_correlation_of_a_chain_is_the_chain() -> None:
    n = 8
    atlas = long_atlas(chain(n, 6000).astype(np.float32), session_length=600)
    partial, plain = connectome.partial_correlation(atlas), connectome.connectivity(atlas)
    gap = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    assert partial[gap == 1].min() > 0.4
    assert np.abs(partial[gap > 1]).max() < 0.06
    assert plain[gap == 2].min() > 0.3, "without conditioning, what is two steps away correlates"
    reference = ConnectivityMeasure(kind="partial correlation", standardize="zscore_sample")
    used = atlas.time_courses[:, ~atlas.is_dummy].T
    np.testing.assert_allclose(partial, reference.fit_transform([used])[0], atol=2e-3)


def test_partial_correlation_of_fewer_tokens_than_networks_stays_finite() -> None:
    courses = np.random.default_rng(0).standard_normal((30, 24)).astype(np.float32)
    partial = connectome.partial_correlation(long_atlas(courses, session_length=12))
    assert np.isfinite(partial).all()
    assert np.abs(partial).max() <= 1


def test_interval_knows_that_tokens_of_a_document_go_together() -> None:
    """Noise that is constant within a document: 20 observations, however many tokens."""
    rng = np.random.default_rng(3)
    courses = np.repeat(rng.standard_normal((2, 20)), 50, axis=1).astype(np.float32)
    atlas = long_atlas(courses, session_length=50)
    interval = connectome.connectivity_interval(atlas, n_resamples=400)
    width = interval.high[0, 1] - interval.low[0, 1]
    assert width > 0.4, "20 independent values: a standard error of about 0.22"
    assert interval.low[0, 1] < connectome.connectivity(atlas)[0, 1] < interval.high[0, 1]
    assert interval.n_documents == 20
    with pytest.raises(SettingsError, match="documents"):
        connectome.connectivity_interval(long_atlas(courses[:, :300], session_length=50))


def test_interval_holds_the_asked_share_of_the_correlations_of_drawn_documents() -> None:
    """Each draw by itself: its documents put together, and numpy's correlation of their tokens."""
    rng = np.random.default_rng(3)
    courses = rng.standard_normal((2, 240)) + np.repeat(rng.standard_normal((2, 12)), 20, axis=1)
    atlas = long_atlas(courses.astype(np.float32), session_length=20)
    documents = np.split(courses, 12, axis=1)
    times = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=200)
    drawn = [
        np.corrcoef(np.concatenate([documents[d][:, 2:] for d in np.repeat(range(12), n)], axis=1))
        for n in times
    ]
    for level, shares in ((0.95, (0.025, 0.975)), (0.5, (0.25, 0.75))):
        found = connectome.connectivity_interval(atlas, n_resamples=200, level=level)
        expected = np.quantile(drawn, shares, axis=0)
        np.testing.assert_allclose((found.low, found.high), expected, atol=1e-5)


def test_parts_of_one_text_are_drawn_together() -> None:
    """Texts cut in parts: the parts repeat one another, so they are not documents of their own."""
    values = np.random.default_rng(4).standard_normal((2, 10))
    courses = np.repeat(np.repeat(values, 5, axis=1), 20, axis=1).astype(np.float32)
    whole, cut = (long_atlas(courses, session_length=n) for n in (100, 20))
    session = cut.tokens["session"]
    cut.tokens["document"] = [f"d{s // 5}, part {s % 5 + 1}" for s in session]
    a, b = (connectome.connectivity_interval(x, n_resamples=400) for x in (whole, cut))
    assert b.n_documents == a.n_documents == 10
    width = a.high[0, 1] - a.low[0, 1]
    assert b.high[0, 1] - b.low[0, 1] == pytest.approx(width, rel=0.1)
    few = long_atlas(courses[:, :600], session_length=20)
    few.tokens["document"] = [f"d{s // 5}, part {s % 5 + 1}" for s in few.tokens["session"]]
    with pytest.raises(SettingsError, match="6 documents"):
        connectome.connectivity_interval(few)


def test_overlap_of_maps() -> None:
    maps = np.zeros((4, 100))
    maps[0, :20], maps[1, 10:40], maps[2, 50:60] = 5.0, -5.0, 5.0
    atlas = atlas_of(maps=maps)
    assert connectome.shared_units(atlas, z=3)[0].tolist() == [20, 10, 0, 0]
    assert connectome.dice(atlas, z=3)[0].tolist() == [1.0, 0.4, 0.0, 0.0]
    assert connectome.jaccard(atlas, z=3)[0, 1] == pytest.approx(10 / 40)
    expected = np.corrcoef(np.abs(maps[:3]))
    np.testing.assert_allclose(connectome.strength_overlap(atlas)[:3, :3], expected, atol=1e-9)
    assert np.isfinite(connectome.strength_overlap(atlas)).all(), "a map of zeros correlates with 0"
    alive = np.ones(100, dtype=bool)
    alive[5:15] = alive[55:] = False
    found = connectome.strength_overlap(atlas_of(maps=maps, alive=alive))
    np.testing.assert_allclose(found[:3, :3], np.corrcoef(np.abs(maps[:3, alive])), atol=1e-9)


def blocks(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Time courses (K, tokens) with one common driver a block, in shuffled order, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    drivers = rng.standard_normal((len(sizes), 800))
    return drivers[truth] + rng.standard_normal((len(truth), 800)), truth


def test_groups_are_the_planted_blocks() -> None:
    courses, truth = blocks((7, 5, 4, 6))
    similarity = np.corrcoef(courses)
    groups = connectome.group_networks(similarity)
    assert groups.n_groups == 4
    standard = (courses - courses.mean(axis=1, keepdims=True)) / courses.std(axis=1, keepdims=True)
    merges = linkage(standard / np.sqrt(courses.shape[1]), "ward")
    np.testing.assert_allclose(groups.tree[:, 2], merges[:, 2])  # as of the time courses themselves
    assert groups.is_by_rule
    together = truth[:, None] == truth[None, :]
    np.testing.assert_array_equal(groups.label[:, None] == groups.label[None, :], together)
    ordered = groups.label[groups.order]
    assert (np.diff(ordered) >= 0).all(), "each group is one run of the order"
    assert sorted(groups.order) == list(range(22))
    assert max(groups.silhouette.values()) > 0.25
    asked = connectome.group_networks(similarity, n_groups=2)
    assert (asked.n_groups, asked.is_by_rule) == (2, False)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_few_networks_have_groups_too(k) -> None:
    groups = connectome.group_networks(np.eye(k))
    assert sorted(groups.order) == list(range(k))
    with pytest.raises(SettingsError, match="groups"):
        connectome.group_networks(np.eye(k), n_groups=k + 1)


def test_group_table_says_what_members_share() -> None:
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((4, N_TOKENS))
    courses[1] = courses[0] + 0.1 * courses[1]
    courses[:2, token_table()["text"].to_numpy() == "t4"] += 20
    atlas = atlas_of(courses=courses)
    similarity = connectome.connectivity(atlas)
    groups = connectome.group_networks(similarity, n_groups=3)
    table = connectome.group_table(atlas, groups, similarity)
    row = table[table["n_networks"] == 2].iloc[0]
    assert sorted(row["networks"]) == [0, 1]
    assert row["within"] == pytest.approx(similarity[0, 1])
    assert row["words"][0] == "t4"
    assert table[table["n_networks"] == 1]["within"].isna().all()


def test_edges_and_partners_are_the_strongest_by_magnitude() -> None:
    values = np.eye(4)
    values[0, 3] = values[3, 0] = -0.9
    values[1, 2] = values[2, 1] = 0.5
    values[0, 1] = values[1, 0] = 0.1
    assert connectome.strongest_edges(values, share=0.34).tolist() == [[0, 3], [1, 2]]
    assert connectome.partners(values, 0, n=2).tolist() == [3, 1]
    places = connectome.graph_places(values, connectome.strongest_edges(values, share=0.34))
    assert places.shape == (4, 2)
    near = np.linalg.norm(places[0] - places[3])
    assert near < np.linalg.norm(places[0] - places[2])
