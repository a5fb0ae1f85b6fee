import numpy as np
import pytest
import tiny
import torch
from torch.nn import functional

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.scores.gradients import fisher_information, loss_sensitivity

RAGGED = (12, 12, 9)


def units_of(language_model):
    """The output projections, whose inputs are the units."""
    return output_projections(language_model.model, language_model.architecture)


class Kept(list):
    """A hook that keeps a module's inputs and asks for their gradients."""

    def __call__(self, module, args):
        args[0].retain_grad()
        self.append(args[0])


def plain_loop(language_model, windows):
    """The definition, by autograd on whole windows and transformers' own loss."""
    model = language_model.model
    total = torch.zeros(language_model.layout.n_units)
    for index in range(windows.n_windows):
        kept = Kept()
        handles = [
            module.register_forward_pre_hook(kept)
            for module in output_projections(model, language_model.architecture)
        ]
        ids = torch.from_numpy(windows.window_ids(index).astype(np.int64))[None]
        model(ids, labels=ids).loss.backward()
        for handle in handles:
            handle.remove()
        products = torch.cat([(x * x.grad).reshape(ids.shape[1], -1) for x in kept], dim=1)
        total += products.sum(dim=0).abs().detach()
    model.zero_grad()
    return total / windows.n_windows


@tiny.each_kind
def test_it_is_what_a_plain_loop_of_autograd_gives(language_model):
    windows = tiny.toy_windows(RAGGED)
    expected = plain_loop(language_model, windows)
    actual = loss_sensitivity(language_model, windows, projections=units_of(language_model))
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-6)
    assert actual.dtype == np.float64
    assert tiny.is_idle(language_model)
    language_model.model.requires_grad_(False)
    with torch.inference_mode():
        frozen = loss_sensitivity(language_model, windows, projections=units_of(language_model))
    np.testing.assert_allclose(frozen, actual, rtol=1e-4, atol=1e-7)
    assert all(p.grad is None for p in language_model.model.parameters())


def test_it_is_the_slope_of_the_loss_as_a_unit_is_scaled(llama):
    """What silencing would do to the loss, to first order."""
    windows = tiny.toy_windows((16,), n_dummy_tokens=0, n_documents=1)
    llama.model.double()
    ids = torch.from_numpy(windows.token_ids.astype(np.int64))[None]
    flat = loss_sensitivity(llama, windows, projections=units_of(llama))

    def loss(layer, unit, factor):
        removed = [np.array([unit] if layer == i else [], dtype=np.int64) for i in range(3)]
        with torch.inference_mode(), silenced(llama, removed, factor=factor):
            logits = llama.model(ids, use_cache=False).logits  # transformers rounds to float32
            return float(functional.cross_entropy(logits[0, :-1], ids[0, 1:]))

    for layer, unit in ((0, 5), (1, 40), (2, 17)):
        slope = (loss(layer, unit, 1.05) - loss(layer, unit, 0.95)) / 0.1
        value = flat[int(llama.layout.flat(layer, unit))]
        # Llama's norms are in float32 whatever the weights.
        assert value == pytest.approx(abs(slope), rel=2e-2, abs=2e-5)


def test_fisher_is_the_mean_over_drawn_labels_of_the_exact_information(llama):
    """Σ over tokens of Jᵀ (diag p − p pᵀ) J, J of all logits by the gates: no label is drawn."""
    windows = tiny.toy_windows((4,), n_dummy_tokens=0, n_documents=1)
    ids = torch.from_numpy(windows.token_ids.astype(np.int64))[None]
    gates = torch.ones(4, llama.layout.n_units)

    def logits(gates):
        parts = gates.split(list(llama.layout.widths), dim=1)
        with edit_projections(units_of(llama), edit_input=lambda layer, x: x * parts[layer]):
            return llama.model(ids, use_cache=False).logits[0]

    jacobian = torch.autograd.functional.jacobian(logits, gates).detach()  # (s, v, t, u)
    p = logits(gates).softmax(dim=-1).detach()
    mean = torch.einsum("sv,svtu->stu", p, jacobian)
    square = torch.einsum("sv,svtu->stu", p, jacobian.square())
    exact = (square - mean.square()).sum(dim=0).numpy()  # (t, u)
    counts = np.array([1.0, 0.0, 2.0, 1.0])
    expected = counts @ exact / counts.sum()
    drawn = [fisher_information(llama, windows, weights=counts, seed=seed) for seed in range(400)]
    error = np.std(drawn, axis=0) / np.sqrt(len(drawn))
    z = (np.mean(drawn, axis=0) - expected) / np.maximum(error, 1e-12)
    assert np.abs(z).mean() < 1.5
    assert np.corrcoef(np.mean(drawn, axis=0), expected)[0, 1] > 0.95
    assert np.mean(drawn, axis=0).sum() == pytest.approx(expected.sum(), rel=0.1)
    again = fisher_information(llama, windows, weights=counts, seed=3)
    np.testing.assert_array_equal(again, drawn[3])
    assert not np.array_equal(drawn[3], drawn[4])
    assert tiny.is_idle(llama)


def test_what_has_no_slope_is_told(llama):
    with pytest.raises(SettingsError, match="two tokens"):
        loss_sensitivity(
            llama,
            tiny.toy_windows((1, 1), n_dummy_tokens=0, n_documents=1),
            projections=units_of(llama),
        )
    token = CancelToken()
    with pytest.raises(Cancelled):
        loss_sensitivity(
            llama,
            tiny.toy_windows(),
            projections=units_of(llama),
            progress=lambda event: token.cancel(),
            cancel=token,
        )
    assert tiny.is_idle(llama)
    with torch.no_grad():
        llama.model.model.norm.weight[0] = float("nan")
    with pytest.raises(NonFiniteError, match="Session 0"):
        loss_sensitivity(llama, tiny.toy_windows(), projections=units_of(llama))
    assert tiny.is_idle(llama)
