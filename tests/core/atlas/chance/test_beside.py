"""Statistics of networks beside those of random directions."""

import numpy as np
import pytest
from toy_atlas import N_NETWORKS, atlas_of

from fnprune_core.atlas.chance.beside import STATISTICS, Beside, beside, by_token, counts
from fnprune_core.atlas.chance.directions import KINDS, Directions
from fnprune_core.errors import SettingsError


def test_a_network_stands_above_random_directions_from_their_95th_percentile_on() -> None:
    control = {kind: np.linspace(0, 1, 101) for kind in KINDS}
    found = Beside(networks=np.array([0.94, 0.95, 0.96]), control=control)
    assert found.is_above().tolist() == [False, False, True]
    assert found.text(2) == "0.96; 0.50 for random directions (95th percentile 0.95)"
    row = found.table().iloc[0]
    assert (row["networks"], row["directions"], row["above"]) == (0.95, 0.5, 1)
    assert row["difference"] == pytest.approx(0.45)


@pytest.mark.parametrize("name", STATISTICS)
def test_of_courses_without_meaning_networks_are_as_their_random_directions(name) -> None:
    atlas = atlas_of()
    noise = np.random.default_rng(5).standard_normal((2, *atlas.time_courses.shape))
    found = beside(Directions(atlas=atlas, seed=0, permuted=noise[0], shifted=noise[1]), name)
    for kind in KINDS:
        assert found.control[kind].shape == (N_NETWORKS,)
    assert abs(found.median - found.control_median()) < 0.25


def test_tokens_explain_nothing_of_noise_and_all_of_what_follows_them() -> None:
    atlas = atlas_of()
    assert np.abs(by_token(atlas)).max() < 0.1
    number = atlas.tokens["text"].str[1:].to_numpy(dtype=float)
    assert by_token(atlas_of(courses=np.tile(number, (4, 1)))) == pytest.approx(1)


def test_what_a_recording_does_not_allow_is_left_out_or_refused() -> None:
    atlas = atlas_of()
    tokens = atlas.tokens.assign(domain=atlas.tokens["domain"].cat.codes.astype(str))
    tokens["domain"] = tokens["domain"].where(tokens["domain"] == "0", "0").astype("category")
    single = type(atlas)(atlas.decomposition, tokens)
    assert set(counts(single)) == {"silhouette", "mean_r"}
    found = Directions(
        atlas=single, seed=0, permuted=atlas.time_courses, shifted=atlas.time_courses
    )
    with pytest.raises(SettingsError):
        beside(found, "domains")
    with pytest.raises(SettingsError, match="no statistic"):
        beside(found, "other")
