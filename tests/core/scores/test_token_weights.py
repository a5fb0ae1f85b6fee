"""How much tokens count: the rules of two scores, and what a change of one network does."""

import numpy as np
import pytest

from fnprune_core.scores.token_weights import ByEnergy, ByPassage, mean_around


@pytest.mark.parametrize("rule", [ByEnergy, ByPassage])
@pytest.mark.parametrize("preserved", [(0, 2), (1, 2, 3), (2,), (0, 1, 2, 3)])
def test_each_change_of_one_network_is_that_choice(rule, preserved, atlas) -> None:
    weights = rule(atlas)
    toggled = weights.toggled(preserved)
    for network, row in enumerate(toggled):
        changed = sorted(set(preserved) ^ {network})
        expected = weights.of(changed) if changed else np.zeros(len(row))
        np.testing.assert_allclose(row, expected, atol=1e-9)


@pytest.mark.parametrize("rule", [ByEnergy, ByPassage])
def test_with_every_network_all_tokens_count(rule, atlas) -> None:
    np.testing.assert_array_equal(rule(atlas).of(range(4)), ~atlas.is_dummy)


def test_the_mean_around_a_token_stays_in_its_session(atlas) -> None:
    values = np.random.default_rng(0).random((2, len(atlas.is_dummy)))
    found = mean_around(atlas, values, 3)
    session, place = atlas.tokens["session"].to_numpy(), np.arange(values.shape[1])
    for token in np.flatnonzero(~atlas.is_dummy):
        near = (session == session[token]) & ~atlas.is_dummy & (np.abs(place - token) <= 3)
        np.testing.assert_allclose(found[:, token], values[:, near].mean(axis=1))
    np.testing.assert_array_equal(found[:, atlas.is_dummy], values[:, atlas.is_dummy])
