"""Statistics of networks beside those of random directions."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from toy_atlas import N_NETWORKS, N_TOKENS, atlas_of

from fnprune_core.atlas.chance.beside import (
    STATISTICS,
    Beside,
    beside,
    by_token,
    counts,
    explained_sentence,
    parcels,
    parcels_sentence,
    promotion,
)
from fnprune_core.atlas.chance.directions import KINDS, Directions, permuted_maps
from fnprune_core.atlas.naming.promoted import N_TOKENS as N_PROMOTED
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.language_model import wrap_model


def test_a_network_stands_above_random_directions_from_their_95th_percentile_on() -> None:
    control = {kind: np.linspace(0, 1, 101) for kind in KINDS}
    found = Beside(networks=np.array([0.94, 0.95, 0.96]), control=control)
    assert found.is_above().tolist() == [False, False, True]
    assert found.text(2) == "0.96; 0.50 for random directions (95th percentile 0.95)"
    row = found.table().iloc[0]
    assert (row["networks"], row["directions"], row["above"]) == (0.95, 0.5, 1)
    assert row["difference"] == pytest.approx(0.45)


@pytest.mark.parametrize("name", [name for name in STATISTICS if name != "variance"])
def test_of_courses_without_meaning_networks_are_as_their_random_directions(name) -> None:
    atlas = atlas_of()
    noise = np.random.default_rng(5).standard_normal((2, *atlas.time_courses.shape))
    found = beside(Directions(atlas=atlas, seed=0, permuted=noise[0], shifted=noise[1]), name)
    for kind in KINDS:
        assert found.control[kind].shape == (N_NETWORKS,)
    assert abs(found.median - found.control_median()) < 0.25


def test_variance_stands_beside_directions_and_that_of_a_rotation_is_not_told_as_a_figure() -> None:
    atlas = atlas_of()  # together 40 %
    courses = atlas.time_courses
    unknown = Directions(atlas=atlas, seed=0, permuted=courses, shifted=courses)
    assert "was not measured" in explained_sentence(atlas, unknown)
    with pytest.raises(SettingsError, match="not measured"):
        beside(unknown, "variance")
    alone = np.full((3, N_NETWORKS), 0.05)
    known = replace(unknown, alone=alone, left_out=alone, explained=np.array([0.07, 0.4, 0.05]))
    found = beside(known, "variance")
    assert found.networks == pytest.approx(100 * atlas.decomposition.variance_alone)
    assert found.control_median() == pytest.approx(5)
    told = explained_sentence(atlas, known)
    assert "40.0 % of the variance, as many random directions 7.0 % (permuted) and 5.0 %" in told
    assert "difference of +33.0 and +35.0 points" in told
    assert {kind: counts(known.of(kind)).get("explained") for kind in KINDS} == {
        "permuted": pytest.approx(0.07), "rotated": None, "shifted": pytest.approx(0.05),
    }  # fmt: skip


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
    assert set(counts(single)) == {"explained", "silhouette", "mean_r"}
    found = Directions(
        atlas=single, seed=0, permuted=atlas.time_courses, shifted=atlas.time_courses
    )
    with pytest.raises(SettingsError):
        beside(found, "domains")
    with pytest.raises(SettingsError, match="no statistic"):
        beside(found, "other")


def test_networks_of_the_same_units_share_more_than_permuted_ones_and_noise_does_not() -> None:
    rng = np.random.default_rng(4)
    noise = rng.laplace(size=(6, 100))
    shared = noise.copy()
    shared[:, ::10] = 9.0  # every network has these units
    planted, nothing = (
        parcels(atlas_of(maps=maps, courses=np.ones((6, N_TOKENS))), z=4.0)
        for maps in (shared, noise)
    )
    assert planted["networks"]["dice"] > 3 * planted["permuted"]["dice"]
    assert planted["networks"]["share"] < 0.5 * planted["permuted"]["share"]
    assert abs(nothing["networks"]["share"] - nothing["permuted"]["share"]) < 0.05
    assert abs(nothing["networks"]["dice"] - nothing["permuted"]["dice"]) < 0.05
    share = 100 * planted["networks"]["share"]
    assert parcels_sentence(planted).startswith(f"In some network: {share:.1f} % (random")


def test_units_that_write_some_tokens_promote_them_above_random_directions() -> None:
    """The first half of the networks are units whose output is one feature of 12 tokens."""
    language_model = wrap_model(tiny.tiny_model("Llama"), tiny.toy_tokenizer())
    layout, rng = language_model.layout, np.random.default_rng(2)
    units = layout.layer_slice(2).start + np.arange(8)
    head = language_model.model.get_output_embeddings().weight.data
    columns = language_model.model.model.layers[2].mlp.down_proj.weight.data
    head[:, 0], columns[0] = 0, 0
    head[:N_PROMOTED, 0] = 1
    columns[:, :4] = 0
    columns[0, :4] = 1
    maps = np.zeros((8, layout.n_units), dtype=np.float32)
    maps[np.arange(8), units] = 9.0
    decomposition = replace(
        atlas_of(courses=rng.exponential(size=(8, N_TOKENS)), maps=np.eye(8, 100)).decomposition,
        spatial_maps=maps,
        layout=layout,
        alive=np.ones(layout.n_units, dtype=bool),
        fingerprint=language_model.fingerprint,
    )
    atlas = NetworkAtlas(decomposition, atlas_of().tokens)
    courses = atlas.time_courses
    found = promotion(
        language_model,
        Directions(atlas=atlas, seed=0, permuted=courses, shifted=courses),
        np.ones(layout.n_units),
    )
    assert {kind: each.shape for kind, each in found.control.items()} == dict.fromkeys(KINDS, (8,))
    landed = permuted_maps(atlas).argmax(axis=1)  # on the units of no network of the first half
    assert not np.isin(landed, units[:4]).any()
    n = len(head)
    assert found.networks[:4] == pytest.approx(np.sqrt((n - N_PROMOTED) / N_PROMOTED), rel=1e-4)
    assert found.is_above()[:4].all()
    assert not found.is_above()[4:].any()
    assert found.control["shifted"] == pytest.approx(found.networks)  # its maps are the same
    # Directions have no members: both are of |z|, also where those of networks are known.
    known = np.zeros(maps.shape, dtype=bool)
    checked = NetworkAtlas(decomposition, atlas_of().tokens, find_members=lambda: known)
    again = promotion(
        language_model,
        Directions(atlas=checked, seed=0, permuted=courses, shifted=courses),
        np.ones(layout.n_units),
    )
    assert again.networks == pytest.approx(found.networks)
