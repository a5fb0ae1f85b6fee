import numpy as np
import pytest
import tiny

from fnprune_core.models.architectures import output_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import compensation
from fnprune_core.pruning.compensation import (
    CalibrationStatistics,
    Cut,
    compensate,
    least_squares_refit,
    surgeon_refit,
)
from fnprune_core.scores.brain_surgeon import damped


def weights_of(language_model):
    return [
        weight_of(p).detach().double().numpy()
        for p in output_projections(language_model.model, language_model.architecture)
    ]


def signals_of_layer(recording, layer):
    return np.concatenate(
        [recording.session(i, layer=layer) for i in range(recording.n_sessions)]
    ).astype(np.float64)


def output_change(weight, x, removed, refit):
    """What pruning does to a layer's output: new minus old, (tokens, hidden)."""
    kept = np.setdiff1d(np.arange(weight.shape[1]), removed)
    columns = weight[:, kept] if refit.columns is None else refit.columns.double().numpy()
    bias = 0 if refit.bias is None else refit.bias.double().numpy()
    return x[:, kept] @ columns.T + bias - x @ weight.T


@tiny.each_kind
def test_bias_restores_the_mean_output(language_model, record_windows):
    recording = record_windows(language_model)
    removed = tiny.ragged_removal(language_model.layout)
    usable = (~recording.is_dummy).astype(np.float64)
    cuts = [Cut(removed=removed, compensation="bias")]
    [refits] = compensate(language_model, recording, cuts, weights=usable)
    assert refits[0].bias is None  # nothing is removed there
    for layer, weight in enumerate(weights_of(language_model)):
        x = signals_of_layer(recording, layer)
        change = output_change(weight, x, removed[layer], refits[layer])
        np.testing.assert_allclose(change[~recording.is_dummy].mean(axis=0), 0, atol=1e-5)


@tiny.each_kind
def test_the_better_the_compensation_the_smaller_the_error(
    language_model, record_windows, monkeypatch
):
    monkeypatch.setattr(compensation, "RIDGE", 0.0)
    recording = record_windows(language_model, tiny.toy_windows(n_dummy_tokens=0))
    removed = tiny.ragged_removal(language_model.layout)
    cuts = [
        Cut(removed=removed, compensation=name, intercept=intercept)
        for name, intercept in (
            ("none", False), ("bias", False), ("least-squares", False), ("least-squares", True),
        )
    ]  # fmt: skip
    ones = np.ones(recording.n_tokens)
    refits = compensate(language_model, recording, cuts, weights=ones)
    for layer in (1, 2):
        weight = weights_of(language_model)[layer]
        x = signals_of_layer(recording, layer)
        none, bias, columns, both = (
            np.square(output_change(weight, x, removed[layer], each[layer])).sum()
            for each in refits
        )
        assert both < bias < none
        assert both <= columns < none


@pytest.mark.parametrize("intercept", [False, True])
def test_least_squares_solves_the_stated_problem(llama, record_windows, intercept):
    """min Σ w‖W x − V x_kept − b‖² + λ Σ_j (Σ w x_j²) ‖ΔV_j‖², dummy tokens with weight 1."""
    recording = record_windows(llama)
    removed = tiny.ragged_removal(llama.layout)
    weights = np.random.default_rng(0).exponential(size=recording.n_tokens)
    weights[::5] = 0
    weights[recording.is_dummy] = 0
    cuts = [Cut(removed=removed, compensation="least-squares", intercept=intercept)]
    [refits] = compensate(llama, recording, cuts, weights=weights)

    layer = 2
    weight, x = weights_of(llama)[layer], signals_of_layer(recording, layer)
    kept = np.setdiff1d(np.arange(48), removed[layer])
    w = np.where(recording.is_dummy, 1.0, weights)
    design = np.concatenate([x[:, kept], np.full((len(x), 1), float(intercept))], axis=1)
    energy = w @ np.square(x[:, kept])
    ridge = np.concatenate(
        [np.diag(np.sqrt(compensation.RIDGE * energy)), np.zeros((len(kept), 1))], axis=1
    )
    solution, *_ = np.linalg.lstsq(
        np.concatenate([np.sqrt(w)[:, None] * design, ridge]),
        np.concatenate(
            [
                np.sqrt(w)[:, None] * (x[:, removed[layer]] @ weight[:, removed[layer]].T),
                np.zeros((len(kept), 32)),
            ]
        ),
    )
    columns = weight[:, kept] + solution[:-1].T
    # the Gram matrix is summed in float32 within a session
    np.testing.assert_allclose(refits[layer].columns, columns, rtol=1e-4, atol=1e-4)
    if intercept:
        np.testing.assert_allclose(refits[layer].bias, solution[-1], rtol=1e-4, atol=1e-4)
    else:
        assert refits[layer].bias is None


def test_the_brain_surgeon_leaves_no_error_that_kept_columns_could_make_up_for():
    """min tr((W − V) G (W − V)ᵀ), damped, with V = 0 where units go: its slope is 0 elsewhere."""
    rng = np.random.default_rng(0)
    signals, weight, removed = rng.normal(size=(50, 6)), rng.normal(size=(4, 6)), np.array([1, 4])
    statistics = CalibrationStatistics(mean=np.zeros(6), gram=signals.T @ signals / 50)
    kept = np.setdiff1d(np.arange(6), removed)
    change = weight.copy()
    change[:, kept] -= surgeon_refit(weight, removed, statistics, False).columns.numpy()
    slope = change @ damped(statistics.gram)
    np.testing.assert_allclose(slope[:, kept], 0, atol=1e-5)
    assert np.abs(slope[:, removed]).max() > 0.1


def test_cuts_made_together_are_those_made_alone(llama, record_windows):
    recording = record_windows(llama)
    weights = np.ones(recording.n_tokens)
    cuts = [
        Cut(removed=tiny.ragged_removal(llama.layout, seed=seed), compensation=name)
        for seed, name in enumerate(compensation.COMPENSATIONS)
    ]
    together = compensate(llama, recording, cuts, weights=weights)
    for cut, refits in zip(cuts, together, strict=True):
        [alone] = compensate(llama, recording, [cut], weights=weights)
        for a, b in zip(refits, alone, strict=True):
            for x, y in ((a.columns, b.columns), (a.bias, b.bias)):
                assert (x is None) == (y is None)
                if x is not None:
                    np.testing.assert_array_equal(x, y)


def test_units_that_never_fire_are_left_as_they_are():
    """A layer that is silent on the calibration text used to be a singular system."""
    silent = CalibrationStatistics(mean=np.zeros(4), gram=np.zeros((4, 4)), gram_mean=np.zeros(4))
    weight = np.arange(8.0).reshape(2, 4)
    refit = least_squares_refit(weight, np.array([1]), silent, False)
    np.testing.assert_array_equal(refit.columns, weight[:, [0, 2, 3]])


def test_it_stops_between_layers(llama, record_windows):
    recording, token = record_windows(llama), CancelToken()
    with pytest.raises(Cancelled):
        compensate(
            llama,
            recording,
            [Cut(removed=tiny.ragged_removal(llama.layout), compensation="least-squares")],
            weights=np.ones(recording.n_tokens),
            progress=lambda event: token.cancel(),
            cancel=token,
        )
