"""Each part of the rule, on an atlas whose energy lies where a test puts it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from toy_atlas import N_TOKENS, WINDOW, atlas_of, usable

from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.naming.suggestions import SuggestedName, suggested_names
from fnprune_core.atlas.network_atlas import NetworkAtlas

#: Twelve texts in turn; capitals and space in front do not tell them apart.
TEXTS = (" The", "the", " cat", " sat", " on", " 7", "42", ",", ";", " dog", " ran", " far")


def named(
    energy: dict[str, float], *, domain: int | None = None, promoted=(), n_documents=5
) -> SuggestedName:
    """Return the name of a network with this energy at each token of a text, and 1 at others.

    In a domain it is five times as strong, in so many of the domain's documents.
    """
    courses = np.ones((2, N_TOKENS))
    texts = np.array([TEXTS[i % WINDOW % len(TEXTS)] for i in range(N_TOKENS)])
    for text, value in energy.items():
        courses[0, texts == text] = np.sqrt(value)
    if domain is not None:
        first = 5 * WINDOW * domain
        courses[0, first : first + n_documents * WINDOW] *= 5
    courses[:, ::2] *= -1  # so that the mean of a session holds none of it
    atlas = atlas_of(courses=courses, maps=np.eye(2, 100))
    documents = pd.Categorical([f"d{i // WINDOW}" for i in range(N_TOKENS)])
    tokens = atlas.tokens.assign(text=texts, document=documents)
    return suggested_names(NetworkAtlas(atlas.decomposition, tokens), promoted=promoted)[0]


@pytest.mark.parametrize(
    ("energy", "expected"),
    [
        ({" cat": 40.0}, "cat"),
        ({" The": 40.0, "the": 40.0}, "the"),
        ({" 7": 20.0, "42": 20.0}, "numbers"),
        ({",": 60.0, ";": 59.0}, "punctuation , ;"),
        ({}, "network 0"),
    ],
)
def test_a_name_says_where_the_energy_is(energy, expected):
    name = named(energy)
    assert name.text == expected
    assert (name.kind == "number") == (expected == "network 0")


def test_three_words_are_named_where_each_draws_five_times_its_share():
    texts = [f"w{i}" for i in range(40)] * 6
    courses = np.ones((1, N_TOKENS))
    courses[0, np.isin(texts, ("w3", "w5", "w7"))] = np.sqrt(30)
    atlas = atlas_of(courses=courses, maps=np.eye(1, 100))
    name = suggested_names(NetworkAtlas(atlas.decomposition, atlas.tokens.assign(text=texts)))[0]
    assert name.text == "w3, w5, w7"
    share = np.square(courses[0, usable()])[np.isin(np.array(texts)[usable()], ("w3", "w5", "w7"))]
    expected = share.sum() / np.square(courses[0, usable()]).sum()
    assert f"{100 * expected:.0f} %" in name.basis[0]


def test_a_network_of_the_first_tokens_of_windows_is_called_so():
    courses = np.ones((2, N_TOKENS))
    courses[0, 3:12] = 20
    atlas = atlas_of(courses=courses, maps=np.eye(2, 100))
    tokens = atlas.tokens.assign(
        text=[f"w{i}" for i in range(N_TOKENS)], position=np.arange(N_TOKENS), domain="prose"
    )
    tokens["domain"] = tokens["domain"].astype("category")
    names = suggested_names(NetworkAtlas(atlas.decomposition, tokens))
    assert [name.text for name in names] == ["first tokens of a text", "network 1"]


def test_the_domain_stands_first_only_where_over_half_of_the_energy_is_its():
    assert named({" cat": 40.0}, domain=0).text == "Prose · cat"
    assert named({}, domain=0).text == "Prose"
    assert named({" cat": 40.0}).text == "cat"


def test_a_domain_that_one_document_makes_carries_a_mark():
    """On the other documents of its domain such a network is as strong as anywhere."""
    name = named({}, domain=0, n_documents=1)
    assert name.text == "Prose?"
    assert "does not hold on all of them" in name.basis[0]
    assert "documents that it was not named from" in named({}, domain=0).basis[0]
    name = named({}, domain=1)  # of which there is one document
    assert name.text == "Code?"
    assert "cannot be tried on others" in name.basis[0]


def test_promoted_tokens_name_only_what_nothing_else_does():
    strong = [LogitEffect(text=" of", effect=6.0), LogitEffect(text="Of", effect=5.5)]
    weak = [LogitEffect(text=" of", effect=4.9)]
    assert named({}, promoted=[strong]).text == "promotes of"
    assert named({}, promoted=[weak]).text == "network 0"
    assert named({" cat": 40.0}, promoted=[strong]).text == "cat"


def test_each_part_of_a_name_has_a_reason_with_a_number():
    name = named({" cat": 40.0}, domain=1)
    assert len(name.basis) == 2
    assert all("%" in sentence for sentence in name.basis)
    assert named({}).basis == ()


def test_the_number_of_tokens_changes_no_name():
    """A text that is read twice is the same text."""
    atlas = atlas_of()
    twice = dataclasses.replace(
        atlas.decomposition, time_courses=np.tile(atlas.time_courses, (1, 2))
    )
    tokens = pd.concat([atlas.tokens, atlas.tokens], ignore_index=True)
    first = suggested_names(atlas)
    assert [n.text for n in suggested_names(NetworkAtlas(twice, tokens))] == [n.text for n in first]
