from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.errors import NonFiniteError
from fnprune_core.models.architectures import feeding_modules, feeding_rows
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit, silenced
from fnprune_core.plans import files
from fnprune_core.plans.files import read_refits, write_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import importing, planner
from fnprune_core.pruning.reconstruction import Training, _Divergence, reconstruct, split_sessions
from fnprune_core.pruning.slicing import mask, prune

TRAINING = Training(n_passes=6, step=0.02, step_per_nat=100.0, warm_up=2)


def learnable_windows(n_dummy_tokens=2):
    """Eight times the same session: what is learned from some holds for the one held out."""
    windows = tiny.toy_windows(n_dummy_tokens=n_dummy_tokens)
    return replace(windows, token_ids=np.tile(windows.window_ids(0), windows.n_windows))


def divergence(language_model, plan, refits, windows):
    """Mean KL(dense ‖ silenced) over the last session, which training holds out."""
    ids = torch.from_numpy(windows.window_ids(windows.n_windows - 1).astype(np.int64))[None]
    dense = tiny.logits_of(language_model.model, ids).log_softmax(-1)
    with silenced(language_model, plan.removed, refits=refits):
        pruned = tiny.logits_of(language_model.model, ids).log_softmax(-1)
    return float((dense.exp() * (dense - pruned)).sum(-1).mean())


def test_the_loss_and_its_slope_are_the_weighted_divergence():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(300, 50, generator=generator, requires_grad=True)
    wanted = torch.randn(300, 50, generator=generator)
    counts = torch.rand(300, generator=generator)
    log_p, log_q = wanted.log_softmax(-1), logits.log_softmax(-1)
    expected = ((log_p.exp() * (log_p - log_q)).sum(-1) * counts).sum()
    [slope] = torch.autograd.grad(expected, logits)
    actual = _Divergence.apply(logits, wanted, counts)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(torch.autograd.grad(actual, logits)[0], slope)


@tiny.each_kind
def test_training_brings_the_pruned_model_nearer_to_the_dense_one(language_model):
    windows, plan = learnable_windows(), tiny.toy_plan(language_model)
    before = [Refit()] * language_model.layout.n_layers
    dense = tiny.logits_of(language_model.model, tiny.random_ids())
    refits = reconstruct(
        language_model, plan, before, windows, weights=np.ones(windows.n_tokens), training=TRAINING
    )
    assert divergence(language_model, plan, refits, windows) < 0.9 * divergence(
        language_model, plan, before, windows
    )
    assert torch.equal(tiny.logits_of(language_model.model, tiny.random_ids()), dense)
    assert tiny.is_idle(language_model)


@tiny.each_kind
def test_silenced_cut_and_masked_agree_with_trained_weights(language_model, tmp_path):
    plan, architecture = tiny.toy_plan(language_model), language_model.architecture
    generator = torch.Generator().manual_seed(0)
    refits = []
    for layer, kept in enumerate(plan.kept):
        rows = feeding_rows(architecture, torch.from_numpy(kept), plan.layout.widths[layer])
        feeding = [
            weight_of(each).detach()[rows]
            for each in feeding_modules(language_model.model, architecture, layer)
        ]
        noisy = [each + 0.3 * torch.randn(each.shape, generator=generator) for each in feeding]
        refits.append(Refit(feeding=tuple(noisy)))
    write_plan(tmp_path, plan, refits)
    refits = read_refits(tmp_path / "refits.safetensors", plan.layout.n_layers)
    ids = tiny.random_ids()
    with silenced(language_model, plan.removed, refits=refits):
        expected = tiny.logits_of(language_model.model, ids)
    for form in (prune, mask):
        actual = tiny.logits_of(form(language_model, plan, refits=refits), ids)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    with silenced(language_model, plan.removed):
        untrained = tiny.logits_of(language_model.model, ids)
    assert (expected - untrained).abs().max() > 1e-2


def test_a_step_that_betters_nothing_leaves_the_refits_where_they_were(llama):
    windows, plan = tiny.toy_windows(), tiny.toy_plan(llama)
    before = [Refit()] * llama.layout.n_layers
    refits = reconstruct(
        llama,
        plan,
        before,
        windows,
        weights=np.ones(windows.n_tokens),
        training=Training(n_passes=1, step=30.0, step_per_nat=1e6, warm_up=1),
    )
    assert divergence(llama, plan, refits, windows) == pytest.approx(
        divergence(llama, plan, before, windows), rel=1e-4
    )


def test_sessions_whose_tokens_do_not_count_teach_nothing(llama):
    windows, plan = learnable_windows(n_dummy_tokens=0), tiny.toy_plan(llama)
    weights = np.repeat([0.0, 1.0] * (windows.n_windows // 2), 32)
    other = np.where(weights > 0, windows.token_ids, 1 + windows.token_ids % 7)
    refits = [
        reconstruct(
            llama,
            plan,
            [Refit()] * llama.layout.n_layers,
            replace(windows, token_ids=ids),
            weights=weights,
            training=TRAINING,
        )
        for ids in (windows.token_ids, other)
    ]
    for first, second in zip(*refits, strict=True):
        torch.testing.assert_close(first.columns, second.columns)
        torch.testing.assert_close(first.feeding, second.feeding)


def test_training_stops_on_request_and_refuses_a_loss_that_is_not_finite(llama):
    windows, plan = tiny.toy_windows(), tiny.toy_plan(llama)
    before = [Refit()] * llama.layout.n_layers
    weights, cancel = np.ones(windows.n_tokens), CancelToken()
    with pytest.raises(Cancelled):
        reconstruct(
            llama, plan, before, windows, weights=weights,
            progress=lambda event: cancel.cancel(), cancel=cancel,
        )  # fmt: skip
    assert tiny.is_idle(llama)
    assert tiny.lock_is_free(llama)
    broken = [Refit(bias=torch.full((llama.model.config.hidden_size,), torch.nan)), *before[1:]]
    with pytest.raises(NonFiniteError, match="not finite"):
        reconstruct(llama, plan, broken, windows, weights=weights)


def test_a_plan_is_made_with_it_and_found_again(workspace, recording, llama):
    settings = PlanSettings(score="flap", ratio=0.4, compensation="reconstruct", sink_units=0)
    [id] = planner.plans(workspace, llama, recording_id=recording.id, settings=[settings])
    refits = files.stored_plan(workspace, id).refits()
    assert all(len(refit.feeding) == 2 for refit in refits)
    taken = importing.import_plan(workspace, llama, workspace.folder("plans", id))
    again = files.stored_plan(workspace, taken).refits()
    assert torch.equal(again[0].feeding[1], refits[0].feeding[1])


def test_held_out_sessions_are_the_last_and_never_none():
    two_domains = tiny.toy_windows((8,) * 32)
    one_domain = replace(two_domains, domain_index=np.zeros_like(two_domains.domain_index))
    assert split_sessions(one_domain, 0.125) == (list(range(28)), [28, 29, 30, 31])
    assert split_sessions(two_domains, 0.125)[1] == [14, 15, 30, 31]
    assert split_sessions(tiny.toy_windows((8,) * 3), 0.125) == ([0, 2], [1])
    assert split_sessions(tiny.toy_windows((8,)), 0.125) == ([0], [0])
