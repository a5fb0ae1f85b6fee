import numpy as np
import pytest
from toy_atlas import DOMAINS, N_NETWORKS, N_SESSIONS, WINDOW, atlas_of, token_table, usable

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.scores.token_weights import ByEnergy


@pytest.fixture
def atlas() -> NetworkAtlas:
    return atlas_of()


# Maps and thresholds


def test_members_are_the_units_beyond_the_threshold_on_either_side() -> None:
    maps = np.zeros((2, 100))
    maps[0, [3, 40, 99]] = [3.1, -3.1, 2.9]
    atlas = atlas_of(maps=maps)
    assert atlas.members(0).tolist() == [3, 40]
    assert atlas.members(0, z=2.5).tolist() == [3, 40, 99]
    assert atlas.membership()[:, [3, 40, 99]].tolist() == [[True, True, False], [False] * 3]


def test_depth_profile_is_the_share_of_each_layers_own_units() -> None:
    maps = np.zeros((1, 100))
    maps[0, [0, 1, 2, 30, 50, 51]] = 4
    np.testing.assert_allclose(atlas_of(maps=maps).depth_profile(0), [3 / 30, 1 / 20, 2 / 50])


def test_parcellation_gives_each_unit_its_strongest_network() -> None:
    maps = np.zeros((3, 100))
    maps[:, 5] = [3.5, -4.0, 1.0]
    maps[:, 6] = [2.0, 2.9, 1.0]
    parcels = atlas_of(maps=maps).parcellation()
    assert parcels[5] == 1
    assert parcels[6] == -1
    assert (np.delete(parcels, 5) == -1).all()
    assert atlas_of(maps=maps).parcellation(z=1.5)[6] == 1


def test_layer_map_is_ragged(atlas) -> None:
    rows = atlas.layer_map(2)
    assert rows.shape == (3, 50)
    assert np.isnan(rows).sum(axis=1).tolist() == [20, 30, 0]
    np.testing.assert_array_equal(rows[1, :20], atlas.maps[2, 30:50])


# Time courses


def test_connectivity_is_the_correlation_over_usable_tokens(atlas) -> None:
    expected = np.corrcoef(atlas.time_courses[:, usable()])
    np.testing.assert_allclose(atlas.functional_connectivity(), expected, atol=1e-12)
    assert atlas_of(maps=np.ones((1, 100))).functional_connectivity().shape == (1, 1)


def test_domain_shares_are_per_token_so_that_large_domains_do_not_count_more() -> None:
    """Prose has five times the tokens of code; equal strength gives equal shares."""
    courses = np.zeros((3, WINDOW * N_SESSIONS))
    courses[0] = 2.0
    courses[1] = np.where(DOMAINS == 1, 3.0, 1.0)
    courses[2] = np.where(usable(), DOMAINS == 0, 100.0)  # dummy tokens do not count
    share = atlas_of(maps=np.ones((3, 100)), courses=courses).domain_share()
    np.testing.assert_allclose(share, [[0.5, 0.5], [0.1, 0.9], [1, 0]])


def test_domain_shares_sum_to_one(atlas) -> None:
    np.testing.assert_allclose(atlas.domain_share().sum(axis=1), 1)


def test_networks_of_a_domain_have_more_than_half_of_their_energy_there() -> None:
    courses = np.ones((3, WINDOW * N_SESSIONS))
    courses[1] = np.where(DOMAINS == 1, 3.0, 1.0)
    courses[2] = np.where(DOMAINS == 1, 1.0, 3.0)
    atlas = atlas_of(maps=np.ones((3, 100)), courses=courses)
    assert atlas.networks_of_domain("code") == (1,)
    assert atlas.networks_of_domain("prose") == (2,)
    assert atlas.networks_of_domain("code", share=0.95) == ()
    with pytest.raises(SettingsError, match=r"no domain 'law'.*prose, code"):
        atlas.networks_of_domain("law")


def test_token_weights_are_the_squared_share_of_preserved_energy(atlas) -> None:
    energy = np.square(atlas.time_courses.astype(float))
    share = energy[[0, 3]].sum(axis=0) / energy.sum(axis=0)
    expected = np.where(usable(), share**2, 0)
    np.testing.assert_allclose(ByEnergy(atlas).of((3, 0)), expected)
    np.testing.assert_allclose(ByEnergy(atlas).of((3, 0, 3)), expected)


def test_all_networks_preserved_every_usable_token_counts_exactly_one(atlas) -> None:
    assert np.array_equal(ByEnergy(atlas).of((0, 1, 2, 3)), usable().astype(float))


def test_a_token_at_which_no_network_is_active_counts_one() -> None:
    courses = np.ones((2, WINDOW * N_SESSIONS))
    courses[:, 20] = 0
    weights = ByEnergy(atlas_of(maps=np.ones((2, 100)), courses=courses)).of((0,))
    assert weights[20] == 1
    assert weights[21] == 0.25


# Passages and tokens


def test_passages_do_not_overlap_and_stay_in_their_session() -> None:
    """A peak just beyond a passage once gave a second one that shared half of its tokens."""
    courses = np.zeros((1, WINDOW * N_SESSIONS))
    # 71 and 76 are too near to 60; 0 is a dummy token; 118 and 125 are of two sessions.
    for token, value in {0: 99, 60: -9, 71: 8, 76: 7, 125: 6, 118: 5, 35: 4}.items():
        courses[0, token] = value
    passages = atlas_of(maps=np.ones((1, 100)), courses=courses).top_passages(0, n=4, radius=10)
    assert [p.session * WINDOW + p.position for p in passages] == [60, 125, 118, 35]
    assert [len(p.pieces) for p in passages] == [21, 16, 12, 15]
    assert [p.centre for p in passages] == [10, 5, 10, 10]


def test_a_document_gives_at_most_two_passages_while_others_have_any() -> None:
    courses = np.zeros((1, WINDOW * N_SESSIONS))
    courses[0, [10, 30, 50, 70, 170]] = [9, 8, 7, 6, 1]  # four of the first document, one of d2
    passages = atlas_of(maps=np.ones((1, 100)), courses=courses).top_passages(0, n=3, radius=3)
    assert [p.session * WINDOW + p.position for p in passages] == [10, 30, 170]
    passages = atlas_of(maps=np.ones((1, 100)), courses=courses[:, :]).top_passages(
        0, n=30, radius=3
    )
    positions = [p.session * WINDOW + p.position for p in passages]
    assert {10, 30, 50, 70} <= set(positions)  # with room for all, none is left out


def test_a_passage_shows_text_and_values_around_its_peak(atlas) -> None:
    strongest = np.where(usable(), np.abs(atlas.time_courses[1]), 0)
    passage = atlas.top_passages(1, n=1, radius=5)[0]
    peak = int(strongest.argmax())
    assert passage.session * WINDOW + passage.position == peak
    assert passage.pieces[passage.centre] == f"t{peak % 9}"
    assert passage.values[passage.centre] == atlas.time_courses[1, peak]
    assert passage.domain == ("prose", "code")[DOMAINS[peak]]
    assert passage.document == f"d{peak // (2 * WINDOW)}"


def test_top_tokens_are_types_by_their_mean_strength() -> None:
    courses = np.zeros((1, WINDOW * N_SESSIONS))
    types = np.arange(courses.shape[1]) % 9
    courses[0, types == 4] = -2.0
    courses[0, types == 5] = 1.0
    top = atlas_of(maps=np.ones((1, 100)), courses=courses).top_tokens(0, n=2)
    assert top["text"].tolist() == ["t4", "t5"]
    assert top["mean"].tolist() == [-2.0, 1.0]
    assert top["count"].tolist() == [(usable() & (types == t)).sum() for t in (4, 5)]


@pytest.mark.parametrize(("pole", "texts"), [(1, ["t5", "t6"]), (-1, ["t4"])])
def test_top_tokens_of_a_pole_hold_none_of_the_other(pole, texts) -> None:
    types = np.arange(WINDOW * N_SESSIONS) % 9
    courses = np.select([types == 4, types == 5, types == 6], [-2.0, 1.0, 0.5])[None]
    found = atlas_of(maps=np.ones((1, 100)), courses=courses).top_tokens(0, n=3, pole=pole)
    assert found["text"].tolist() == texts


def test_table_has_one_row_a_network(atlas) -> None:
    table = atlas.table()
    assert list(table.columns) == [
        "network",
        "run_agreement",
        "variance_alone",
        "variance_left_out",
        "top_domain",
        "top_domain_share",
        "peak_layer",
        "units",
    ]
    for k in range(N_NETWORKS):
        row, share = table.loc[k], atlas.domain_share()[k]
        assert row["network"] == k
        assert row["top_domain"] == ("prose", "code")[share.argmax()]
        assert row["top_domain_share"] == share.max()
        assert row["peak_layer"] == atlas.layout.layer_of_unit[np.abs(atlas.maps[k]).argmax()]
        assert row["units"] == len(atlas.members(k))


def test_a_token_table_of_another_recording_is_refused(atlas) -> None:
    with pytest.raises(SettingsError, match="240 tokens, the token table 239"):
        NetworkAtlas(atlas.decomposition, token_table().iloc[1:])


def test_parcel_sizes_count_units_by_layer() -> None:
    atlas = atlas_of()
    sizes, labels = atlas.parcel_sizes(z=2.0), atlas.parcellation(z=2.0)
    for layer, part in enumerate(atlas.layout.split(labels)):
        for k in range(atlas.n_networks):
            assert sizes[k, layer] == (part == k).sum()
    strength = np.abs(atlas.maps)
    assert (labels >= 0).sum() == (strength.max(axis=0) > 2.0).sum()
    np.testing.assert_array_equal(atlas.strongest[0], strength.argmax(axis=0))
    table = atlas.parcel_table(z=1e9)
    assert table["units"].sum() == 0
    assert table["mean_layer"].isna().all()


def test_deciles_show_one_passage_each_from_strong_to_weak() -> None:
    found = atlas_of()
    passages = found.decile_passages(1, radius=2)
    strength = np.abs(found.time_courses[1, usable()])
    shown = [abs(p.values[p.centre]) for p in passages]
    assert shown[0] == strength.max()
    assert shown == sorted(shown, reverse=True)
    ranks = [(strength < value).mean() for value in shown[1:]]
    assert [int(rank * 10) for rank in ranks] == list(range(9, -1, -1))
    places = [(p.session, p.position) for p in passages]
    for i, (session, position) in enumerate(places):
        assert all(s != session or abs(q - position) > 2 for s, q in places[:i])


def test_a_pole_shows_only_passages_of_its_sign() -> None:
    found = atlas_of()
    for pole in (1, -1):
        for passages in (
            found.top_passages(2, radius=2, pole=pole),
            found.decile_passages(2, radius=2, pole=pole),
        ):
            values = [pole * p.values[p.centre] for p in passages]
            assert min(values) > 0
            assert values == sorted(values, reverse=True)
        strongest = (pole * found.time_courses[2, usable()]).max()
        assert values[0] == strongest
    courses = np.ones_like(found.time_courses)
    assert atlas_of(courses=courses).decile_passages(0, pole=-1) == []


def test_an_atlas_opens_with_the_tokens_of_its_recording(study) -> None:
    atlas = network_atlas.open_atlas(study.workspace, study.atlas[:6])
    assert atlas.id == study.atlas
    assert atlas.n_networks == 4
    assert atlas.domain_names == ("prose", "code")
    np.testing.assert_allclose(atlas.domain_share().sum(axis=1), 1)
