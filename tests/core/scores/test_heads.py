import numpy as np
import tiny
import torch
from attention_inputs import group_inputs, inputs_of, outputs_of
from torch.nn import functional

from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.scores.heads import dimension_loadings
from fnprune_core.scores.token_weights import ByEnergy
from fnprune_core.scores.units import SCORES


def test_flap_wanda_and_magnitude_are_their_formulas(llama, recording):
    usable = (~recording.is_dummy).astype(np.float64)
    inputs = group_inputs(llama, recording, usable)
    x = np.concatenate(inputs_of(llama, recording.windows), axis=1)[usable > 0]
    w = np.concatenate([weight_of(o).detach().double().numpy() for o in outputs_of(llama)], axis=1)
    v = np.concatenate([
        layer.self_attn.v_proj.weight.detach().double().square().sum(dim=1)
        .reshape(2, 1, 8).expand(2, 2, 8).reshape(-1).numpy()
        for layer in llama.model.model.layers
    ])  # fmt: skip

    def summed(values):
        return np.array([values[16 * g : 16 * g + 16].sum() for g in range(6)])

    for name, expected in (
        ("flap", np.square(w).sum(axis=0) * x.var(axis=0)),
        ("wanda", np.sqrt(np.square(x).sum(axis=0)) * np.abs(w).sum(axis=0)),
        ("magnitude", np.square(w).sum(axis=0) + v),
    ):
        found = SCORES[name].compute_groups(inputs)
        np.testing.assert_allclose(found, summed(expected), rtol=1e-4)


def test_network_energy_of_all_networks_is_flap_and_of_some_is_not(llama, recording, atlas):
    def scored(preserved):
        inputs = group_inputs(llama, recording, ByEnergy(atlas).of(preserved), atlas=atlas)
        return SCORES["network-energy"].compute_groups(inputs)

    usable = (~recording.is_dummy).astype(np.float64)
    flap = SCORES["flap"].compute_groups(group_inputs(llama, recording, usable))
    np.testing.assert_allclose(scored((0, 1, 2, 3)), flap)
    assert not np.allclose(scored((0,)), flap, rtol=0.01)


def test_membership_regresses_heads_on_time_courses(llama, recording, atlas):
    usable = ~recording.is_dummy
    inputs = group_inputs(
        llama, recording, usable.astype(np.float64), atlas=atlas, preserved=(1, 3)
    )
    x = np.concatenate(inputs_of(llama, recording.windows), axis=1)[usable]
    design = np.column_stack([np.ones(len(x)), atlas.time_courses[:, usable].T])
    slopes = np.linalg.lstsq(design, (x - x.mean(axis=0)) / x.std(axis=0), rcond=None)[0][1:]
    z = (slopes - slopes.mean(axis=1, keepdims=True)) / slopes.std(axis=1, keepdims=True)
    np.testing.assert_allclose(dimension_loadings(inputs), z, atol=1e-3)
    expected = np.abs(z[[1, 3]]).reshape(2, 6, 16).mean(axis=2).max(axis=0)
    np.testing.assert_allclose(
        SCORES["network-membership"].compute_groups(inputs), expected, atol=1e-3
    )


def test_taylor_is_the_slope_of_the_loss_in_each_window(llama, record_windows):
    recording = record_windows(llama, tiny.toy_windows((24,), n_documents=1))
    scores = SCORES["taylor"].compute_groups(
        group_inputs(llama, recording, np.ones(recording.n_tokens))
    )
    ids = torch.from_numpy(recording.windows.window_ids(0).astype(np.int64))[None]
    llama.model.double()

    def loss(group, step):
        scale = torch.ones(24, 96, dtype=torch.float64)
        scale[:, 16 * group : 16 * group + 16] += step

        def edit(layer, x):
            return x * scale[:, 32 * layer : 32 * layer + 32]

        with edit_projections(outputs_of(llama), edit_input=edit):
            logits = tiny.logits_of(llama.model, ids)
        return float(functional.cross_entropy(logits[0, :-1], ids[0, 1:]))

    slopes = [abs(loss(g, 0.02) - loss(g, -0.02)) / 0.04 for g in range(6)]
    # Llama's norms are in float32 whatever the weights.
    np.testing.assert_allclose(scores, slopes, rtol=2e-2, atol=2e-4)
