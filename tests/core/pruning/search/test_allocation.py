"""Weights of layers: the allocation that follows them, and the search that finds them."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from fnprune_core.decomposition import group_ica
from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.models import silencing
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans import files
from fnprune_core.plans.allocation import WEIGHTED, Budget, allocate
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import planner
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.preview_files import open_preview, prepare_preview
from fnprune_core.pruning.search.allocation import (
    AllocationOrder,
    blocks_of,
    shifted,
)
from fnprune_core.pruning.search.trials import Trials, search

WINDOWS = tiny.toy_windows(seed=5).select(range(3))  # the recording did not read them
BASE = PlanSettings(score="flap", ratio=0.3, sink_units=0, allocation="uniform")
LAYOUT = UnitLayout((40, 40, 20, 40))


def budget(n_removed: int, weights) -> Budget:
    nothing = np.zeros(LAYOUT.n_units, dtype=bool)
    return Budget(
        layout=LAYOUT,
        n_removed=n_removed,
        scores=np.zeros(LAYOUT.n_units),
        protected=nothing,
        weights=weights,
    )


def order(recording, **changes) -> AllocationOrder:
    settings = {"base": BASE, "n_blocks": 3, **changes}
    return AllocationOrder(recording_id=recording.id, **settings)


# The allocation


def test_layers_give_in_proportion_to_their_weights() -> None:
    assert allocate(WEIGHTED, budget(30, (1, 0.5, 0, 0))).tolist() == [20, 10, 0, 0]
    assert allocate(WEIGHTED, budget(25, (1, 0, 1, 0.5))).tolist() == [13, 0, 6, 6]  # by width
    # What a layer cannot give, the others do; each keeps one unit.
    assert allocate(WEIGHTED, budget(45, (1, 0.05, 0, 0))).tolist() == [39, 6, 0, 0]


def test_weights_that_cannot_be_followed_say_what_would_do() -> None:
    with pytest.raises(SettingsError, match="one weight for each of 4 layers, got 3"):
        allocate(WEIGHTED, budget(3, (1, 1, 1)))
    with pytest.raises(RatioError, match="at most"):
        allocate(WEIGHTED, budget(45, (1, 0, 0, 0)))
    for weights in ((-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(SettingsError, match="numbers of 0 or more"):
            PlanSettings(allocation=WEIGHTED, layer_weights=weights)


def test_equal_weights_are_uniform_and_scale_does_not_matter(workspace, llama, recording) -> None:
    even, twice = (BASE.with_(allocation=WEIGHTED, layer_weights=(w,) * 3) for w in (1.0, 2.0))
    assert even == twice
    ids = planner.plans(workspace, llama, recording_id=recording.id, settings=[BASE, even])
    first, second = (files.open_plan(workspace, id) for id in ids)
    for one, other in zip(first.removed, second.removed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert second.settings == canonical_settings(even)  # as it comes from the file
    assert canonical_settings(BASE.with_(layer_weights=(1.0, 0.0, 0.0))) == canonical_settings(BASE)


def test_a_preview_follows_the_weights(workspace, llama, recording) -> None:
    settings = BASE.with_(allocation=WEIGHTED, layer_weights=(1.0, 0.25, 0.0))
    plan = planner.plan(workspace, llama, recording_id=recording.id, settings=settings)
    made = files.open_plan(workspace, plan)
    decomposition = group_ica.decompose(
        workspace,
        recording.id,
        settings=group_ica.GroupICA(n_components=4, n_runs=1, fun="logcosh"),
    )
    prepare_preview(workspace, llama, decomposition)
    shown = open_preview(workspace, decomposition).plan(settings)
    np.testing.assert_array_equal(shown.keep, made.keep)
    assert len(made.removed[2]) == 0 < len(made.removed[1]) < len(made.removed[0])


# The search


def test_a_shift_keeps_the_size_of_the_cut() -> None:
    shares = np.array([0.0, 0.3, 0.3, 0.2])
    moved = shifted(shares, np.array([1]), 0.1)
    np.testing.assert_allclose(moved, [0, 0.4, 0.3 * 0.8, 0.2 * 0.8])
    assert moved.sum() == pytest.approx(shares.sum())
    assert [block.tolist() for block in blocks_of(5, 2)] == [[0, 1, 2], [3, 4]]
    assert len(blocks_of(3, 10)) == 3


def test_the_best_plan_is_of_the_same_size_and_loses_what_is_said(workspace, llama, recording):
    told = []
    found = search(
        workspace, llama, WINDOWS, order=order(recording, n_rounds=2), on_partial=told.append
    )
    assert [each.n_measured for each in told] == [7, 13]
    assert found.n_measured == found.n_plans == 13
    assert order(recording, n_blocks=10).n_plans(llama.layout.n_layers) == 4 + llama.layout.n_layers
    assert found.best.result.mean_nll <= found.first.result.mean_nll
    assert found.gain.difference == pytest.approx(
        found.best.result.mean_nll - found.first.result.mean_nll
    )
    widths = np.array(llama.layout.widths)
    assert found.best.shares @ widths == found.first.shares @ widths  # to one unit
    plan = planner.plan(workspace, llama, recording_id=recording.id, settings=found.best.settings)
    made = files.open_plan(workspace, plan)
    np.testing.assert_allclose(made.kept_widths, widths * (1 - found.best.shares))
    *_, again = perplexity_stream(
        llama.model,
        WINDOWS,
        context=lambda: silencing.silenced(
            llama, made.removed, refits=files.stored_plan(workspace, plan).refits()
        ),
    )
    np.testing.assert_array_equal(again.window_nll, found.best.result.window_nll)
    assert tiny.is_idle(llama)


def test_planted_costs_of_layers_are_found(workspace, llama, recording, monkeypatch) -> None:
    """A cut of layer 0 costs four times as much as one of layer 2, and all cost ever more."""
    plain, costs = Trials.losses, np.array([4.0, 2.0, 1.0])

    def losses(self, plan_ids):
        for plan_id, result in zip(plan_ids, plain(self, plan_ids), strict=True):
            made = files.open_plan(workspace, plan_id)
            shares = 1 - np.array(made.kept_widths) / llama.layout.widths
            nll = result.window_tokens * (1 + costs @ np.square(shares))
            yield replace(result, window_nll=nll)

    monkeypatch.setattr(Trials, "losses", losses)
    found = search(workspace, llama, WINDOWS, order=order(recording, n_rounds=4, shift=0.1))
    best = 1 / costs / (1 / costs).sum() * 0.9  # where another unit costs as much in each layer
    assert np.abs(found.best.shares - best).max() < 0.4 * np.abs(0.3 - best).max()
    assert (np.diff(found.best.shares) > 0).all()


def test_what_is_not_a_search_is_refused(recording) -> None:
    for changes in ({"n_blocks": 1}, {"n_rounds": 0}, {"shift": 0.0}):
        with pytest.raises(SettingsError):
            order(recording, **changes)
    with pytest.raises(RatioError, match="Nothing is to go"):
        order(recording, base=BASE.with_(ratio=0.0))


def test_a_stopped_search_leaves_the_model_whole(workspace, llama, recording) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        search(
            workspace, llama, WINDOWS, order=order(recording, n_rounds=2), cancel=cancel,
            on_partial=lambda found: cancel.cancel(),
        )  # fmt: skip
    assert tiny.is_idle(llama)
