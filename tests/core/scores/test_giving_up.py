"""Weight that is left on texts given up: where networks are a domain's own, and for directions."""

import numpy as np
import pytest
from toy_atlas import DOMAINS, N_TOKENS, atlas_of, usable

from fnprune_core.atlas.chance.directions import Directions
from fnprune_core.scores.giving_up import least_in, left_beside, left_sentence, weight_left
from fnprune_core.scores.units import SCORES

SCORE = "network-energy"
IS_CODE = DOMAINS == 1


@pytest.fixture
def atlas():
    """Three networks of prose and one of code."""
    courses = np.random.default_rng(0).standard_normal((4, N_TOKENS))
    courses[:3, IS_CODE] = 0
    courses[3, ~IS_CODE] = 0
    return atlas_of(courses=courses)


def test_a_domain_whose_networks_go_counts_no_more_and_others_wholly(atlas) -> None:
    assert weight_left(atlas, SCORE, [0, 1, 2], ["code"]) == 0
    assert weight_left(atlas, SCORE, [0, 1, 2, 3], ["code"]) == 1
    weights = SCORES[SCORE].weighting(atlas).of([0, 3])
    own, other = weights[usable() & IS_CODE].mean(), weights[usable() & ~IS_CODE].mean()
    assert weight_left(atlas, SCORE, {3, 0}, ["code"]) == pytest.approx(own / other)


def test_as_many_directions_go_those_with_most_of_their_energy_in_the_domain(atlas) -> None:
    everywhere = np.random.default_rng(1).standard_normal((4, N_TOKENS)).astype(np.float32)
    everywhere[1] *= np.where(IS_CODE, 2, 1)  # the one that goes
    beside = Directions(atlas=atlas, seed=0, permuted=everywhere, shifted=atlas.time_courses)
    found = left_beside(beside, SCORE, [0, 1, 2], ["code"])
    assert list(found) == ["networks", "permuted", "rotated", "shifted"]
    assert found["networks"] == found["shifted"] == 0
    assert 1 not in least_in(beside.of("permuted"), ["code"], 3)
    assert found["permuted"] == weight_left(beside.of("permuted"), SCORE, [0, 2, 3], ["code"])
    assert 0 < found["permuted"] < 1
    sentence = left_sentence(found, ["code"])
    assert "code" in sentence
    assert f"permuted {100 * found['permuted']:.0f} %" in sentence


def test_nothing_is_said_where_no_network_decides(atlas) -> None:
    beside = Directions(
        atlas=atlas, seed=0, permuted=atlas.time_courses, shifted=atlas.time_courses
    )
    assert left_beside(beside, SCORE, [0, 1, 2], []) == {}
    assert left_beside(beside, "flap", [0, 1, 2], ["code"]) == {}
    assert left_sentence({}, []) == ""
