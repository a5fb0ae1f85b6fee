import numpy as np
import pytest
import tiny
import torch
from torch.nn import functional

from fnprune_core.errors import NonFiniteError
from fnprune_core.scores import seed_paper
from fnprune_core.scores.seed_paper import (
    correlations,
    groups_of,
    layer_maps,
    mlp_taps,
    networks,
    strongest_part,
)


def signals_by_hand(language_model, windows, layer):
    """Activation and up projection of a Llama's layer over all tokens: (tokens, 2 · units)."""
    kept = []
    mlp = language_model.model.model.layers[layer].mlp
    handle = mlp.register_forward_pre_hook(lambda module, args: kept.append(args[0]))
    for index in range(windows.n_windows):
        ids = torch.from_numpy(windows.window_ids(index).astype(np.int64))[None]
        tiny.logits_of(language_model.model, ids)
    handle.remove()
    x = torch.cat([each[0] for each in kept])
    return torch.cat([functional.silu(mlp.gate_proj(x)), mlp.up_proj(x)], dim=1).numpy()


def test_correlations_are_of_activation_and_up_projection_over_all_tokens(llama) -> None:
    windows = tiny.toy_windows((12, 12, 9))
    with torch.inference_mode():
        by_hand = [signals_by_hand(llama, windows, layer) for layer in range(3)]
    found = list(correlations(llama, windows, range(3), mlp_taps(llama)))
    for x, correlation in zip(by_hand, found, strict=True):
        np.testing.assert_allclose(correlation, np.corrcoef(x.T), atol=2e-3)
    assert tiny.is_idle(llama)


def test_every_family_has_signals(language_model) -> None:
    """Two columns a unit where there is a gate: what they multiply to are the units."""
    taps = mlp_taps(language_model)
    ids = tiny.random_ids(n_windows=1)
    read = seed_paper._read(language_model, ids, taps)
    architecture = language_model.architecture
    for signals, tap, width in zip(read, taps, language_model.layout.widths, strict=True):
        assert signals.shape == (ids.numel(), tap.n_columns)
        assert tap.n_columns == (2 if architecture.activation else 1) * width
    if architecture.activation:
        units = []
        with (
            torch.inference_mode(),
            seed_paper.watch_inputs(
                seed_paper.output_projections(language_model.model, architecture),
                lambda layer, x: units.append(x.reshape(ids.numel(), -1)),
            ),
        ):
            language_model.model(ids, use_cache=False)
        for signals, expected in zip(read, units, strict=True):
            activation, up = signals.split(expected.shape[1], dim=1)
            torch.testing.assert_close(activation * up, expected, rtol=1e-4, atol=1e-5)


def test_networks_are_where_fastica_with_the_cube_rests(monkeypatch) -> None:
    """In the span of the leading singular vectors of standardised signals, whitened, and fixed.

    There W+ = E[v (wᵀv)³] − 3 W, made orthogonal again, is W but for signs (Hyvärinen 1999).
    """
    rng = np.random.default_rng(0)
    sources = 3 * rng.laplace(size=(6, 400)) * (rng.random((6, 400)) < 0.1)
    x = rng.standard_normal((500, 6)) @ sources + rng.standard_normal((500, 400))
    monkeypatch.setattr(seed_paper, "N_COMPONENTS", 6)
    found = networks(np.corrcoef(x.T), seed=np.random.SeedSequence(0)).astype(np.float64)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    left = np.linalg.svd(standardised.T, full_matrices=False)[0][:, :6]
    centred = left - left.mean(axis=0)
    fit = np.linalg.lstsq(centred, found.T, rcond=None)[0]
    np.testing.assert_allclose(centred @ fit, found.T, atol=1e-4)
    np.testing.assert_allclose(found @ found.T / 400, np.eye(6), atol=1e-4)
    step = found**3 @ found.T / 400 - 3 * np.eye(6)
    u, _, v = np.linalg.svd(step)
    np.testing.assert_allclose(np.abs(u @ v), np.eye(6), atol=0.02)


def test_a_units_number_is_its_largest_in_any_group_network_or_column(llama, monkeypatch) -> None:
    windows = tiny.toy_windows()
    monkeypatch.setattr(seed_paper, "GROUP_TOKENS", windows.n_tokens // 2)
    expected = np.zeros((3, 48))
    n_maps = 0
    for layer, maps in layer_maps(llama, windows, mlp_taps(llama)):
        n_maps += 1
        columns = np.abs(maps).max(axis=0)
        expected[layer] = np.maximum(expected[layer], np.maximum(columns[:48], columns[48:]))
    assert n_maps == 2 * 3
    np.testing.assert_array_equal(strongest_part(llama, windows), expected.reshape(-1))


def test_groups_are_neighbouring_windows_of_enough_tokens(monkeypatch) -> None:
    windows = tiny.toy_windows((32,) * 8)
    assert groups_of(windows) == [range(8)]
    monkeypatch.setattr(seed_paper, "GROUP_TOKENS", 100)
    assert groups_of(windows) == [range(4), range(4, 8)]


def test_layers_that_do_not_fit_in_memory_together_are_read_apart(llama, monkeypatch) -> None:
    windows = tiny.toy_windows()
    together = strongest_part(llama, windows)
    monkeypatch.setattr(seed_paper, "_MOST_BYTES", 4 * 96**2)
    np.testing.assert_array_equal(strongest_part(llama, windows), together)


def test_signals_that_are_no_numbers_are_told(llama) -> None:
    with torch.no_grad():
        llama.model.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="Session 0"):
        strongest_part(llama, tiny.toy_windows())
