"""Names after a domain on documents that they were not given from."""

import numpy as np
import pandas as pd
import pytest
from toy_atlas import atlas_of

from fnprune_core.atlas.chance.names import domain_names, least_share
from fnprune_core.atlas.network_atlas import NetworkAtlas

N_DOCUMENTS, N_TOKENS = 16, 30


def atlas_with(energy, *, documents=None, means=0.0) -> NetworkAtlas:
    """Networks with the given energy around means in each of 16 documents, of two domains."""
    rng = np.random.default_rng(0)
    courses = np.sqrt(np.repeat(energy, N_TOKENS, axis=1))
    courses = courses * rng.standard_normal(courses.shape)
    courses += np.repeat(np.broadcast_to(means, np.shape(energy)), N_TOKENS, axis=1)
    document = np.repeat(np.arange(N_DOCUMENTS), N_TOKENS)
    names = documents or [f"d{i}" for i in range(N_DOCUMENTS)]
    tokens = pd.DataFrame(
        {
            "document": pd.Categorical([names[i] for i in document]),
            "domain": pd.Categorical.from_codes(document % 2, categories=pd.Index(["a", "b"])),
            "is_dummy": np.zeros(len(document), dtype=bool),
            "session": document,
        }
    )
    template = atlas_of(maps=np.ones((len(energy), 100)), courses=None)
    decomposition = template.decomposition
    object.__setattr__(decomposition, "time_courses", courses.astype(np.float32))
    return NetworkAtlas(decomposition, tokens)


def test_a_name_holds_where_all_documents_show_it_and_not_where_one_does() -> None:
    energy = np.ones((3, N_DOCUMENTS))
    energy[0, ::2] = 9.0  # every document of a
    energy[1, 0] = 120.0  # one document of a
    everywhere, one, none = domain_names(atlas_with(energy))
    assert everywhere.holds
    assert everywhere.held_out == pytest.approx(0.9, abs=0.03)
    assert everywhere.share == pytest.approx(0.9, abs=0.03)
    assert one.domain == "a"
    assert one.share > 0.85
    assert not one.holds
    assert one.held_out == pytest.approx(0.5, abs=0.05)
    assert "does not hold" in one.sentence()
    assert "does not hold" in one.text()
    assert none is None or not none.holds


def test_a_mean_that_shifted_units_have_too_gives_no_name_that_holds() -> None:
    """Of 64 directions of shifted units 20 had names that held: nearly all of their energy is the
    mean of a session, which stays when each unit is shifted by itself."""
    means = np.zeros((1, N_DOCUMENTS))
    means[0, ::2] = 5.0  # every document of a
    (found,) = domain_names(atlas_with(np.ones((1, N_DOCUMENTS)), means=means))
    assert found.share > 0.95
    assert found.held_out == pytest.approx(0.5, abs=0.05)
    assert not found.holds


def test_parts_of_one_text_are_no_other_documents() -> None:
    energy = np.ones((1, N_DOCUMENTS))
    energy[0, ::2] = 9.0
    parts = [f"long, part {i}" if i % 2 == 0 else f"d{i}" for i in range(N_DOCUMENTS)]
    (found,) = domain_names(atlas_with(energy, documents=parts))
    assert (found.n_documents, found.holds) == (1, False)
    assert "cannot be tried" in found.sentence()


def test_few_names_of_nothing_hold_with_two_domains() -> None:
    """Over half was the bar: with two domains every network of nothing was named, 22 % held."""
    rng = np.random.default_rng(1)
    found = domain_names(atlas_with(np.exp(0.7 * rng.standard_normal((100, N_DOCUMENTS)))))
    assert sum(name is not None for name in found) < 40
    assert sum(name is not None and name.holds for name in found) <= 5


def test_the_bar_follows_the_number_of_domains() -> None:
    assert [round(least_share(n), 3) for n in (2, 3, 4, 5, 6, 20)] == [
        0.8,
        0.667,
        0.571,
        0.5,
        0.5,
        0.5,
    ]
