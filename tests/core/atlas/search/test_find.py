"""A search finds by names, notes, domains, words and promoted tokens, and says why."""

import dataclasses

import numpy as np
import pytest
import tiny
from toy_atlas import atlas_from

from fnprune_core.atlas import decoding, units
from fnprune_core.atlas.annotation_files import Annotation, Annotations
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.naming import promoted
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.search import effects
from fnprune_core.atlas.search.find import MAX_QUERY, Said, find
from fnprune_core.atlas.search.index import build_index
from fnprune_core.errors import TextError

NAMES = ("Prose · le, la", "numbers", "semicolons", "network 3")


@pytest.fixture
def searched(recording):
    """An atlas whose network 2 is active on one word alone."""
    atlas = atlas_from(recording)
    word = str(atlas.tokens["text"].iloc[20]).strip()
    is_word = (atlas.tokens["text"].astype(str).str.strip() == word).to_numpy()
    courses = np.array(atlas.time_courses)
    courses[2] = np.where(is_word, 5.0, 0.01)
    decomposition = dataclasses.replace(
        atlas.decomposition, time_courses=courses.astype(np.float32)
    )
    atlas = NetworkAtlas(decomposition, atlas.tokens)

    def search(query, said=None, **options):
        index = build_index(atlas, recording)
        return find(atlas, recording, index, query, said or Said(names=NAMES), **options)

    return search, atlas, word


def test_names_numbers_notes_and_tags_are_found(searched):
    search, *_ = searched
    networks, _ = search("numbers")
    assert (networks[0].number, networks[0].score) == (1, 1.0)
    assert search("la")[0][0].matches[0].score == 0.9
    assert search("semico")[0][0].matches[0].score == 0.6
    assert search("3")[0][0].number == 3
    noted = Annotations(networks={1: Annotation(note="Likes the Tour de France", tags=("sport",))})
    for query in ("tour de", "sport"):
        (hit,) = (h for h in search(query, Said(names=NAMES, annotations=noted))[0])
        assert (hit.number, hit.matches[0].kind) == (1, "note")


def test_words_find_the_network_that_is_active_on_them_with_a_passage(searched):
    search, _, word = searched
    networks, found_units = search(word)
    assert networks[0].number == 2
    assert networks[0].passage is not None
    assert networks[0].passage.pieces[networks[0].passage.centre].strip() == word
    assert [h.score for h in networks] == sorted((h.score for h in networks), reverse=True)
    assert all(0 <= h.score <= 1 for h in (*networks, *found_units))


def test_a_domain_finds_networks_and_units_of_it_by_their_share(searched):
    search, atlas, _ = searched
    domain = atlas.domain_names[0]
    networks, found_units = search(domain.upper())
    share = atlas.domain_share()[:, 0]
    best = int(share.argmax())
    (match,) = [m for h in networks if h.number == best for m in h.matches if m.kind == "domain"]
    assert match.score == pytest.approx(share[best])
    assert found_units


def test_two_kinds_that_agree_stand_before_one(searched):
    search, *_ = searched
    said = Said(names=NAMES, promoted=[(), (), (LogitEffect(text=" semicolons", effect=6.0),), ()])
    (hit,) = search("semicolons", said)[0]
    assert {m.kind for m in hit.matches} == {"name", "promoted"}
    part = dataclasses.replace(said, names=("", "", "semicolons, dots", ""))
    (hit,) = search("semicolons", part)[0]
    assert hit.score == pytest.approx(1 - (1 - 0.9) * (1 - 0.4))


def test_with_the_model_any_token_finds_what_promotes_it(searched, llama, recording):
    _, atlas, _ = searched
    index = effects.build_effects(llama, atlas, recording.std)
    token = 5
    z_networks, z_units = effects.effects_on(llama, index, token)
    vocabulary = tiny.VOCABULARY
    for network in range(atlas.n_networks):
        weights = decoding.network_weights(atlas, recording.std, network, z=3.0)
        weights = weights * promoted.active_pole(atlas, network)
        if weights.any():
            up, _ = decoding.logit_effects(llama, weights, n=vocabulary)
            text = llama.tokenizer.decode([token])
            (expected,) = [e.effect for e in up if e.text == text]
            assert z_networks[network] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    best = int(z_units.argmax())
    up, _ = units.promoted_tokens(llama, best)
    (effect,) = [e.effect for e in up if e.text == llama.tokenizer.decode([token])]
    assert z_units[best] == pytest.approx(effect, rel=1e-3)


@pytest.mark.parametrize("query", ["", "   ", "x" * (MAX_QUERY + 1)])
def test_a_query_has_a_length(searched, query):
    with pytest.raises(TextError, match="1 to 120"):
        searched[0](query)
