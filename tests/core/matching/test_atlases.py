"""Networks matched across atlases and models: by maps, by time courses, against chance."""

import numpy as np
import pytest
import tiny
from matched_atlases import LENGTH, N_UNITS, SESSIONS, atlas_of
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.chance.directions import Directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import FingerprintMismatchError, NotConvergedWarning, SettingsError
from fnprune_core.matching.atlases import likeness, likeness_of, match, match_beside
from fnprune_core.matching.tokens import shared_text
from fnprune_core.models.language_model import wrap_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings


def test_permuted_and_flipped_maps_find_their_own_with_the_sign(maps) -> None:
    order, sign = np.array([3, 0, 5, 1, 2, 4]), np.array([1, -1, 1, 1, -1, 1])
    noise = 0.3 * np.random.default_rng(1).standard_normal(maps.shape)
    found = match(atlas_of(maps[order] * sign[:, None] + noise), atlas_of(maps))
    assert found.by == "maps"
    assert found.pairs[:, 1].tolist() == order.tolist()
    assert np.sign(found.r).tolist() == sign.tolist()
    assert np.all(np.abs(found.r) > 0.9)
    assert found.identities()[1] == (0, pytest.approx(found.r[1]))
    assert np.all(found.table()["next_best"] < 0.3)


def test_unequal_numbers_leave_the_others_unmatched(maps) -> None:
    few, many = atlas_of(maps[[4, 1]]), atlas_of(maps)
    assert match(few, many).pairs.tolist() == [[0, 4], [1, 1]]
    assert match(few, many).unmatched(1) == (0, 2, 3, 5)
    assert match(many, few).unmatched(0) == (0, 2, 3, 5)
    assert match(many, few).partner(4) == (0, pytest.approx(1.0))
    assert match(many, few).partner(0) is None


def test_units_that_do_not_vary_in_one_atlas_do_not_count(maps) -> None:
    alive = np.arange(N_UNITS) >= 100
    found = match(atlas_of(np.where(alive, maps, 50.0), alive=alive), atlas_of(maps))
    assert np.allclose(found.r, 1.0)
    assert found.basis.startswith("200 units")


def test_a_weak_pair_is_no_identity(maps) -> None:
    other = np.random.default_rng(3).laplace(size=maps.shape)
    other[2] = maps[0]
    found = match(atlas_of(maps), atlas_of(other))
    assert found.identities() == {0: (2, pytest.approx(1.0))}
    assert len(found.pairs) == 6
    with pytest.raises(SettingsError, match=r"\(0, 1\]"):
        found.identities(threshold=0)


def test_maps_of_different_models_are_not_compared(maps) -> None:
    other = atlas_of(maps, fingerprint="another model")
    with pytest.raises(FingerprintMismatchError, match="another model"):
        match(atlas_of(maps), other, by="maps")
    assert match(atlas_of(maps), other).by == "time courses"


@pytest.mark.parametrize("by", ["maps", "time courses"])
def test_the_same_networks_match_better_than_random_directions(maps, by) -> None:
    rng = np.random.default_rng(2)
    many = rng.laplace(size=(30, N_UNITS))
    courses = rng.standard_normal((30, SESSIONS * LENGTH))
    noisy = [each + 0.3 * rng.standard_normal(each.shape) for each in (many, courses)]
    atlas, other = atlas_of(many, courses), atlas_of(*noisy)
    found = match(atlas, other, by=by)
    directions = Directions(
        atlas=atlas, seed=0, permuted=rng.permuted(courses, axis=1), shifted=courses
    )
    beside = match_beside(atlas, other, found, directions=directions)
    assert list(beside.control) == ["permuted", "rotated"]
    for kind in beside.control:
        assert beside.is_above(kind).all()
    assert beside.control_median("rotated") < 0.7


def test_networks_of_nothing_match_as_random_directions_do() -> None:
    rng = np.random.default_rng(3)
    first, second = (
        atlas_of(rng.laplace(size=(30, N_UNITS)), rng.standard_normal((30, SESSIONS * LENGTH)))
        for _ in range(2)
    )
    for by in ("maps", "time courses"):
        beside = match_beside(first, second, match(first, second, by=by))
        for kind in beside.control:
            assert abs(beside.median - beside.control_median(kind)) < 0.05
    assert list(beside.control) == ["rotated"]  # permuted ones have no time courses yet


def slow_courses(rng, k: int) -> np.ndarray:
    """Unrelated time courses with the slow drift of real ones, by session."""
    drift = rng.standard_normal((k, SESSIONS, LENGTH + 12))
    smooth = np.stack([drift[..., i : i + LENGTH] for i in range(12)]).mean(axis=0)
    return smooth.reshape(k, -1)


def test_unrelated_time_courses_pass_for_alike_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(5)
    table = atlas_of(np.ones((1, 5))).tokens
    shared = shared_text(table, table)
    n, p = 200, []
    for seed in range(n):
        found = likeness_of(
            slow_courses(rng, 4), slow_courses(rng, 5), shared, n_null=39, seed=seed
        )
        p.append(found.p)
    n_false = int((np.array(p) <= 0.05).sum())
    assert n_false <= 20  # binomial(200, 0.05): 99.8 % of the draws
    assert 0.4 < np.mean(p) < 0.6


def test_related_time_courses_stand_out_whatever_their_order_and_sign() -> None:
    rng = np.random.default_rng(6)
    a = slow_courses(rng, 4)
    b = -a[[2, 0, 3, 1]] + 0.2 * slow_courses(rng, 4)
    table = atlas_of(np.ones((1, 5))).tokens
    found = likeness_of(a, np.vstack([b, slow_courses(rng, 1)]), shared_text(table, table))
    assert found.p == 1 / 200
    assert found.score > 0.9
    assert found.pairs[:, 1].tolist() == [1, 3, 0, 2]
    assert found.n_above_chance == found.n_published == 4
    assert found.n_sessions == SESSIONS
    assert np.all(found.consistency[found.pairs[:, 0], found.pairs[:, 1]] < 0)
    assert "p 0.005" in found.sentence()


def letters_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that cuts the toy words into letters."""
    letters = {letter: i for i, letter in enumerate("~abcdefgqrstuvwxy<unk>")}
    core = Tokenizer(WordLevel({**letters, "<unk>": len(letters)}, unk_token="<unk>"))
    core.pre_tokenizer = Sequence([WhitespaceSplit(), Split(Regex("."), "isolated")])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def made(workspace, language_model, *, window: int) -> NetworkAtlas:
    documents = [d for d in tiny.toy_documents(n_per_domain=3, n_words=130)]
    clean = [
        type(d)(text=d.text.replace("<unk>", "aq"), domain=d.domain, name=d.name) for d in documents
    ]
    settings = RecordingSettings(window=window, n_dummy_tokens=2, max_tokens=None)
    recording = record.record_texts(workspace, language_model, clean, settings=settings)
    with pytest.warns(NotConvergedWarning):
        id = group_ica.decompose(
            workspace, recording, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    return network_atlas.open_atlas(workspace, id)


def test_models_of_two_families_and_tokenizers_are_compared_word_by_word(workspace) -> None:
    words = made(workspace, tiny.tiny_language_model("Llama"), window=32)
    gpt2 = wrap_model(tiny.tiny_model("GPT-2"), letters_tokenizer(), name="letters")
    letters = made(workspace, gpt2, window=64)
    shared = shared_text(words.tokens, letters.tokens)
    assert shared.clock == "characters"
    assert np.array_equal(shared.first[0], shared.last[0])  # a word is one token here,
    assert np.all(shared.last[1] - shared.first[1] == 1)  # and two there
    texts = letters.tokens["text"].to_numpy()
    said = texts[shared.first[1]] + texts[shared.last[1]]
    assert np.array_equal(words.tokens["text"].to_numpy()[shared.first[0]], said)
    found = match(words, letters)
    assert found.by == "time courses"
    assert found.similarity.shape == (4, 4)
    assert "1.00 and 2.00 tokens each" in found.basis
    a, b = shared.means(words.time_courses, 0), shared.means(letters.time_courses, 1)
    assert found.r == pytest.approx(
        [np.corrcoef(a[i], b[j])[0, 1] for i, j in found.pairs], abs=1e-9
    )
    assert 0 <= likeness(words, letters, n_null=9).p <= 1
