from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.score import SINK_UNITS
from fnprune_core.scores.units import PUBLISHED, SCORES, score_named, sink_units, with_published

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


def test_flap_is_its_formula_over_all_tokens(inputs, llama, recording) -> None:
    """arXiv 2312.11983, eq. 5: the fluctuation of an input times the norm of its column."""
    expected = np.square(columns(llama)).sum(axis=0) * signals(recording).var(axis=0)
    for name in ("flap", "flap-published"):
        np.testing.assert_allclose(SCORES[name].compute(inputs()), expected, rtol=1e-4)


def test_wanda_is_its_formula_over_all_tokens(inputs, llama, recording) -> None:
    """arXiv 2306.11695: |W_ij| · ‖x_j‖₂, summed over the column as Wanda-sp does."""
    norms = np.sqrt(np.square(signals(recording)).sum(axis=0))
    expected = (np.abs(columns(llama)) * norms).sum(axis=0)
    for name in ("wanda", "wanda-published"):
        np.testing.assert_allclose(SCORES[name].compute(inputs()), expected, rtol=1e-4)


def rows_of(language_model, name: str) -> list[torch.Tensor]:
    return [getattr(x.mlp, name).weight for x in language_model.model.model.layers]


def test_magnitude_is_the_sum_of_squares_of_the_units_weights(inputs, llama) -> None:
    gate, up = (
        np.square(torch.cat(rows_of(llama, name)).detach().numpy()).sum(axis=1)
        for name in ("gate_proj", "up_proj")
    )
    expected = np.square(columns(llama)).sum(axis=0) + gate + up
    np.testing.assert_allclose(SCORES["magnitude"].compute(inputs()), expected, rtol=1e-4)


def test_taylor_is_the_sum_of_weights_times_gradients(inputs, llama, recording) -> None:
    """LLM-Pruner's first order, element by element, by `backward` on the mean loss."""
    ids = [recording.windows.window_ids(i).astype(np.int64) for i in range(recording.n_sessions)]
    losses = [llama.model(x, labels=x).loss for x in (torch.from_numpy(w)[None] for w in ids)]
    torch.stack(losses).mean().backward()
    effect = {
        name: [(w * w.grad).abs().detach() for w in rows_of(llama, name)]
        for name in ("gate_proj", "up_proj", "down_proj")
    }
    llama.model.zero_grad()
    expected = torch.cat(
        [
            gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)
            for gate, up, down in zip(*effect.values(), strict=True)
        ]
    )
    actual = SCORES["taylor"].compute(inputs())
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=1e-7)
    assert tiny.is_idle(llama)
    assert all(parameter.grad is None for parameter in llama.model.parameters())


def test_the_first_tokens_count_or_do_not_by_the_scores_row(inputs, recording) -> None:
    """And in plans of before they did not, but for FLAP as published."""
    for name, row in SCORES.items():
        weights = row.token_weights(inputs())
        first = weights[recording.is_dummy]
        assert (first == float(row.counts_first_tokens)).all(), name
        assert row.sink_units == (0 if row.counts_first_tokens else SINK_UNITS)
        before = row.token_weights(inputs(), version=1)
        assert before[recording.is_dummy].any() == (row.counts_first_tokens and row.version == 1)


def test_where_no_other_token_counts_the_first_do_not_either(recording) -> None:
    nothing = np.zeros((2, recording.n_tokens))
    nothing[1, -1] = 0.5
    counted = SCORES["flap"].counted(recording.is_dummy, nothing)
    assert not counted[0].any()
    assert counted[1].sum() == recording.is_dummy.sum() + 0.5


def test_each_rival_stands_as_published_too() -> None:
    rivals = {"flap", "wanda", "taylor", "surgeon", "seed-paper", "magnitude", "random"}
    published = {name: row for name, row in SCORES.items() if row.fixes}
    assert {name.removesuffix(PUBLISHED) for name in published} == rivals
    for name, row in published.items():
        rival = SCORES[name.removesuffix(PUBLISHED)]
        assert (row.formula, row.counts_first_tokens) == (rival.formula, rival.counts_first_tokens)
        assert {"allocation", "compensation", "sink_units"} <= row.fixes.keys()
    assert with_published("wanda") == ["wanda-published", "wanda"]
    assert with_published("network-energy") == ["network-energy"]


def test_random_scores_come_from_the_seed(inputs) -> None:
    compute = SCORES["random"].compute
    np.testing.assert_array_equal(compute(inputs(seed=1)), compute(inputs(seed=1)))
    assert abs(np.corrcoef(compute(inputs(seed=1)), compute(inputs(seed=2)))[0, 1]) < 0.3


def test_network_energy_is_its_formula(inputs, llama, recording, atlas) -> None:
    energy = np.square(atlas.time_courses.astype(np.float64))
    weights = np.square(energy[[0, 2]].sum(axis=0) / energy.sum(axis=0))
    weights[recording.is_dummy] = 1
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
    weights = np.ones(recording.n_tokens)
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
    assert by_passage[~theirs].min() > 0.9
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
