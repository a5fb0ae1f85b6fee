from dataclasses import replace

import numpy as np
import pytest
import tiny

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES, score_named, sink_units

NETWORK_SCORES = [name for name, row in SCORES.items() if row.uses_networks]


@pytest.fixture
def inputs(llama, recording, atlas):
    """What a score looks at, with some networks preserved: ``inputs(0, 2)``; all by default."""

    def with_preserved(*preserved: int, seed: int = 0) -> RecordedInputs:
        return RecordedInputs(
            language_model=llama,
            recording=recording,
            atlas=atlas,
            preserved=preserved or tuple(range(atlas.n_networks)),
            seed=seed,
        )

    return with_preserved


def columns(language_model) -> np.ndarray:
    """Output columns of all units of a Llama: (hidden, units)."""
    layers = language_model.model.model.layers
    return np.concatenate([x.mlp.down_proj.weight.detach().numpy() for x in layers], axis=1)


def signals(recording) -> np.ndarray:
    """All signals of a recording: (tokens, units)."""
    parts = [recording.session(i) for i in range(recording.n_sessions)]
    return np.concatenate(parts).astype(np.float64)


@pytest.mark.parametrize("name", SCORES)
def test_each_score_is_finite_and_one_a_unit(name, inputs, recording) -> None:
    scores = SCORES[name].compute(inputs())
    assert scores.shape == (recording.layout.n_units,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 100


def test_flap_is_its_formula(inputs, llama, recording) -> None:
    x = signals(recording)[~recording.is_dummy]
    expected = np.square(columns(llama)).sum(axis=0) * x.var(axis=0)
    np.testing.assert_allclose(SCORES["flap"].compute(inputs()), expected, rtol=1e-4)


def test_flap_as_published_counts_dummy_tokens_too(inputs, llama, recording) -> None:
    expected = np.square(columns(llama)).sum(axis=0) * signals(recording).var(axis=0)
    published = SCORES["flap-published"].compute(inputs())
    np.testing.assert_allclose(published, expected, rtol=1e-4)
    assert not np.allclose(published, SCORES["flap"].compute(inputs()), rtol=1e-2)


def test_wanda_is_its_formula(inputs, llama, recording) -> None:
    x = signals(recording)[~recording.is_dummy]
    expected = np.sqrt(np.square(x).sum(axis=0)) * np.abs(columns(llama)).sum(axis=0)
    np.testing.assert_allclose(SCORES["wanda"].compute(inputs()), expected, rtol=1e-4)


def test_magnitude_is_its_formula(inputs, llama) -> None:
    layers = llama.model.model.layers

    def rows(name: str) -> np.ndarray:
        weights = [getattr(x.mlp, name).weight.detach().numpy() for x in layers]
        return np.square(np.concatenate(weights)).sum(axis=1)

    expected = np.square(columns(llama)).sum(axis=0) * rows("gate_proj") * rows("up_proj")
    np.testing.assert_allclose(SCORES["magnitude"].compute(inputs()), expected, rtol=1e-4)


def test_random_scores_come_from_the_seed(inputs) -> None:
    compute = SCORES["random"].compute
    np.testing.assert_array_equal(compute(inputs(seed=1)), compute(inputs(seed=1)))
    assert abs(np.corrcoef(compute(inputs(seed=1)), compute(inputs(seed=2)))[0, 1]) < 0.3


def test_network_energy_is_its_formula(inputs, llama, recording, atlas) -> None:
    energy = np.square(atlas.time_courses.astype(np.float64))
    weights = np.square(energy[[0, 2]].sum(axis=0) / energy.sum(axis=0)) * ~recording.is_dummy
    weights /= weights.sum()
    x = signals(recording)
    variance = weights @ np.square(x - weights @ x)
    expected = np.square(columns(llama)).sum(axis=0) * variance
    np.testing.assert_allclose(SCORES["network-energy"].compute(inputs(0, 2)), expected, rtol=1e-4)


def test_with_all_networks_preserved_network_energy_is_flap_bit_for_bit(inputs) -> None:
    flap = SCORES["flap"].compute(inputs())
    np.testing.assert_array_equal(SCORES["network-energy"].compute(inputs()), flap)
    assert not np.allclose(SCORES["network-energy"].compute(inputs(0, 1, 2)), flap, rtol=1e-3)


def test_network_context_is_its_formula(inputs, llama, recording, atlas) -> None:
    """w_t = p⁸ / (p⁸ + d⁸), from energies over their own means, over 64 tokens to each side."""
    usable = ~recording.is_dummy
    squares = np.square(atlas.time_courses.astype(np.float64))
    relative = squares / squares[:, usable].mean(axis=1, keepdims=True)
    session, place = recording.windows.session, np.arange(recording.n_tokens)
    weights = np.zeros(recording.n_tokens)
    for token in np.flatnonzero(usable):
        near = usable & (session == session[token]) & (np.abs(place - token) <= 64)
        p, d = (relative[side][:, near].mean() for side in ([0, 2], [1, 3]))
        weights[token] = p**8 / (p**8 + d**8)
    found = SCORES["network-context"].token_weights(inputs(0, 2))
    np.testing.assert_allclose(found, weights, rtol=1e-6)
    weights /= weights.sum()
    x = signals(recording)
    expected = np.square(columns(llama)).sum(axis=0) * (weights @ np.square(x - weights @ x))
    np.testing.assert_allclose(SCORES["network-context"].compute(inputs(0, 2)), expected, rtol=1e-4)


def test_a_passage_that_dropped_networks_rule_stops_counting(llama, recording, atlas) -> None:
    """However strong the others are beside them, and though a single token there is not theirs."""
    courses = np.ones((4, recording.n_tokens), dtype=np.float32)
    theirs = recording.windows.session == 0
    odd_one_out = np.flatnonzero(theirs & ~recording.is_dummy)[10]
    courses[3, theirs] = 9.0
    courses[3, odd_one_out] = 0.0
    courses[0] *= 1000.0
    decomposition = replace(atlas.decomposition, time_courses=courses)
    inputs = RecordedInputs(
        language_model=llama,
        recording=recording,
        atlas=NetworkAtlas(decomposition, recording.tokens),
        preserved=(0, 1, 2),
    )
    by_passage = SCORES["network-context"].token_weights(inputs)
    assert by_passage[odd_one_out] < 0.1
    assert by_passage[~theirs & ~recording.is_dummy].min() > 0.9
    by_token = SCORES["network-energy"].token_weights(inputs)
    assert by_token[~recording.is_dummy].min() > 0.9


def test_with_all_networks_preserved_network_context_is_flap_bit_for_bit(inputs) -> None:
    flap = SCORES["flap"].compute(inputs())
    np.testing.assert_array_equal(SCORES["network-context"].compute(inputs()), flap)


def test_network_membership_is_the_largest_z_of_preserved_networks(inputs, atlas) -> None:
    expected = np.abs(atlas.maps[[1, 3]]).max(axis=0)
    np.testing.assert_array_equal(SCORES["network-membership"].compute(inputs(1, 3)), expected)


def test_preserving_more_networks_never_lowers_membership(inputs) -> None:
    """So at a fixed threshold T it never removes a unit that was kept."""
    few, more = (SCORES["network-membership"].compute(inputs(*p)) for p in ((1,), (1, 2, 3)))
    assert (more >= few).all()
    assert (more > few).any()


@pytest.mark.parametrize("name", NETWORK_SCORES)
def test_scores_of_networks_need_some(name, llama, recording, atlas) -> None:
    without = RecordedInputs(language_model=llama, recording=recording)
    with pytest.raises(SettingsError, match="there is no decomposition"):
        SCORES[name].compute(without)
    nothing = RecordedInputs(language_model=llama, recording=recording, atlas=atlas)
    with pytest.raises(SettingsError, match="No network is preserved"):
        SCORES[name].compute(nothing)


def test_an_unknown_score_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no score 'hessian'.*network-energy, "):
        score_named("hessian")


# Sink units


def test_sink_units_are_the_strongest_of_each_layer_on_dummy_tokens(llama, recording) -> None:
    dummy = np.abs(signals(recording)[recording.is_dummy]).max(axis=0)
    strength = dummy * np.sqrt(np.square(columns(llama)).sum(axis=0))
    chosen = sink_units(RecordedInputs(language_model=llama, recording=recording), 3)
    for layer, part in enumerate(recording.layout.split(strength)):
        expected = np.sort(np.argsort(-part)[:3])
        units = recording.layout.layer_slice(layer)
        assert np.flatnonzero(chosen[units]).tolist() == expected.tolist()


def test_there_are_no_sink_units_without_dummy_tokens_or_when_none_are_asked(
    llama, recording, record_windows
) -> None:
    inputs = RecordedInputs(language_model=llama, recording=recording)
    assert not sink_units(inputs, 0).any()
    plain = record_windows(llama, tiny.toy_windows(n_dummy_tokens=0))
    assert not sink_units(RecordedInputs(language_model=llama, recording=plain), 4).any()
