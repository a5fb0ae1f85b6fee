import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from study import BIAS, CALIBRATION, HELD_OUT, LEAST_SQUARES, NO_REFIT

from fnprune_core.errors import NonFiniteError, OverlapError, SettingsError
from fnprune_core.evaluation import compare as comparing
from fnprune_core.evaluation import results, rivals
from fnprune_core.evaluation.compare import evaluate, evaluation_windows
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.evaluation.results import (
    Perplexity,
    open_evaluation,
    paired_by_domain,
    paired_difference,
)
from fnprune_core.models.silencing import silenced
from fnprune_core.plans import files
from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning import planner
from fnprune_core.storage.manifests import read_manifest

FLAP = PlanSettings(score="flap", ratio=0.3, sink_units=2)
OTHERS = (FLAP.with_(ratio=0.5), FLAP.with_(score="magnitude"), FLAP.with_(score="random"))


@pytest.fixture(autouse=True)
def four_windows_a_pass(short_passes, monkeypatch) -> None:
    monkeypatch.setattr("fnprune_core.machine.batches.PASS_TOKENS", 128)


@pytest.fixture
def lab(workspace, llama, recording):
    """A tiny model, windows of two domains that it did not calibrate on, and four plans."""
    plans = planner.plans(
        workspace,
        llama,
        recording_id=recording.id,
        settings=[FLAP, *OTHERS],
    )
    windows = tiny.toy_windows(seed=5)

    def compare(plan_ids, **options):
        options = {"batch_size": 2, **options}
        return comparing.compare(workspace, llama, windows, plan_ids=plan_ids, **options)

    return SimpleNamespace(
        workspace=workspace, model=llama, windows=windows, plans=plans, compare=compare
    )


def stored(lab, id) -> Perplexity:
    return results.open_evaluation(lab.workspace, id)


def stopping_after(n_calls: int):
    """A cancel token, and an `on_partial` that cancels at its n-th call."""
    cancel, calls = CancelToken(), []

    def on_partial(label, result):
        calls.append((label, len(result.window_nll)))
        if len(calls) == n_calls:
            cancel.cancel()

    return cancel, on_partial, calls


def test_a_stopped_comparison_goes_on_and_ends_where_an_uninterrupted_one_does(lab, monkeypatch):
    labels = {"dense": None, "plan": lab.plans[0]}
    whole = {label: stored(lab, id) for label, id in lab.compare(labels).items()}
    for id in lab.workspace.ids("evaluations"):
        lab.workspace.delete("evaluations", id)
    cancel, on_partial, calls = stopping_after(3)
    with pytest.raises(Cancelled):
        lab.compare(labels, on_partial=on_partial, cancel=cancel)
    assert calls == [("dense", 2), ("plan", 2), ("dense", 4)]
    assert lab.workspace.ids("evaluations") == []
    read = []
    forward = lab.model.model.forward
    monkeypatch.setattr(
        lab.model.model, "forward", lambda *a, **o: read.append(len(a[0])) or forward(*a, **o)
    )
    told = []
    ids = lab.compare(labels, on_partial=lambda label, r: told.append((label, len(r.window_nll))))
    assert told[:2] == [("dense", 4), ("plan", 2)]  # what was known is told at once
    assert sum(read) == 4 + 6  # and not read again
    for label, id in ids.items():
        np.testing.assert_array_equal(stored(lab, id).window_nll, whole[label].window_nll)
        np.testing.assert_array_equal(stored(lab, id).windows, np.arange(8))
    assert lab.workspace.unfinished() == []


def test_a_comparison_that_leaves_off_early_ends_where_a_whole_one_does(lab) -> None:
    labels = {"dense": None, "plan": lab.plans[0]}
    whole = {label: stored(lab, id) for label, id in lab.compare(labels).items()}
    for id in lab.workspace.ids("evaluations"):
        lab.workspace.delete("evaluations", id)

    def n_left() -> int:
        return comparing.n_to_read(lab.workspace, lab.model, lab.windows, [None, lab.plans[0]])

    told = []
    on_partial = lambda label, result: told.append((label, len(result.window_nll)))  # noqa: E731
    assert n_left() == 16
    lab.compare(labels, most_batches=2, on_partial=on_partial)
    assert told == [("dense", 2), ("plan", 2), ("dense", 4), ("plan", 4)]
    assert n_left() == 8
    told.clear()
    lab.compare(labels, most_batches=0, on_partial=on_partial)
    assert told == [("dense", 4), ("plan", 4)]  # what is known, and nothing is read
    for label, id in lab.compare(labels).items():
        np.testing.assert_array_equal(stored(lab, id).window_nll, whole[label].window_nll)
    assert n_left() == 0


def test_a_damaged_partial_result_is_read_again(lab) -> None:
    cancel, on_partial, _ = stopping_after(2)
    with pytest.raises(Cancelled):
        lab.compare({"dense": None}, on_partial=on_partial, cancel=cancel)
    (folder,) = lab.workspace.unfinished()
    (folder / "perplexity.json").write_text('{"window_nll": [1, 2')
    (id,) = lab.compare({"dense": None}).values()
    expected = perplexity(lab.model.model, lab.windows, batch_size=2)
    np.testing.assert_array_equal(stored(lab, id).window_nll, expected.window_nll)


def test_after_a_stop_the_dense_model_is_what_it_was(lab) -> None:
    before = perplexity(lab.model.model, lab.windows)
    cancel, on_partial, _ = stopping_after(3)
    with pytest.raises(Cancelled):
        lab.compare({"a": lab.plans[0], "b": lab.plans[1]}, on_partial=on_partial, cancel=cancel)
    assert tiny.is_idle(lab.model)
    after = perplexity(lab.model.model, lab.windows)
    np.testing.assert_array_equal(after.window_nll, before.window_nll)


def test_an_error_inside_a_pass_leaves_no_hook(lab, monkeypatch) -> None:
    before = perplexity(lab.model.model, lab.windows)
    down = lab.model.model.model.layers[2].mlp.down_proj
    broken = down.register_forward_hook(lambda *_: (_ for _ in ()).throw(MemoryError("full")))
    with pytest.raises(SettingsError, match="does not hold a pass"):
        lab.compare({"a": lab.plans[0]})
    broken.remove()
    assert tiny.is_idle(lab.model)
    after = perplexity(lab.model.model, lab.windows)
    np.testing.assert_array_equal(after.window_nll, before.window_nll)


def test_many_at_once_each_see_their_own_plan_and_the_model_stays_whole(lab) -> None:
    """Two browsers prune on one loaded model: hammered from eight threads at once."""
    model, ids = lab.model, tiny.random_ids(n_windows=1)
    made = [files.open_plan(lab.workspace, plan) for plan in lab.plans]
    refits = [files.stored_plan(lab.workspace, plan).refits() for plan in lab.plans]
    weights = {name: value.clone() for name, value in model.model.state_dict().items()}

    def logits(i: int) -> torch.Tensor:
        with silenced(model, made[i].removed, refits=refits[i]), torch.inference_mode():
            return model.model(ids).logits

    def dense_logits() -> torch.Tensor:
        with model.lock, torch.inference_mode():
            return model.model(ids).logits

    alone = [logits(i) for i in range(4)]
    dense = dense_logits()
    assert not any(torch.equal(alone[i], dense) for i in range(4))
    expected = {plan: list(perplexity_of(lab, plan).window_nll) for plan in (None, *lab.plans)}
    start = threading.Barrier(8)

    def previews(i: int) -> bool:
        start.wait()
        return all(torch.equal(logits(i), alone[i]) for _ in range(40))

    def denses(_: int) -> bool:
        start.wait()
        return all(torch.equal(dense_logits(), dense) for _ in range(40))

    def compares(i: int) -> bool:
        start.wait()
        plans = {"dense": None, "a": lab.plans[i], "b": lab.plans[i + 1]}
        found = {}
        comparing.compare(
            lab.workspace, model, lab.windows, plan_ids=plans, batch_size=1 + i,
            on_partial=lambda label, result: found.update({label: result}),
        )  # fmt: skip
        return all(
            np.allclose(found[label].window_nll, expected[plan], rtol=1e-5)
            for label, plan in plans.items()
        )

    work = [(previews, i) for i in range(4)] + [(denses, 0)] + [(compares, i) for i in range(3)]
    with ThreadPoolExecutor(8) as threads:
        right = list(threads.map(lambda each: each[0](each[1]), work))
    assert right == [True] * 8
    assert tiny.is_idle(model)
    assert torch.equal(dense_logits(), dense)
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def perplexity_of(lab, plan) -> Perplexity:
    if plan is None:
        return perplexity(lab.model.model, lab.windows)
    removed = files.open_plan(lab.workspace, plan).removed
    refits = files.stored_plan(lab.workspace, plan).refits()
    return perplexity(
        lab.model.model, lab.windows, context=lambda: silenced(lab.model, removed, refits=refits)
    )


def test_a_plan_that_is_not_finite_is_a_row_that_says_so_and_the_others_go_on(lab, monkeypatch):
    read = files.StoredPlan.refits

    def refits(stored):
        found = read(stored)
        if stored.id == lab.plans[0]:
            found[1].columns.fill_(torch.inf)
        return found

    monkeypatch.setattr(files.StoredPlan, "refits", refits)
    told = {}
    ids = lab.compare(
        {"dense": None, "broken": lab.plans[0], "whole": lab.plans[1]},
        on_partial=lambda label, result: told.update({label: result}),
    )
    assert told["whole"].is_complete
    assert told["dense"].is_complete
    assert told["broken"].failure == "The loss of window 0 is not finite."
    found = stored(lab, ids["broken"])
    assert found.failure
    assert np.isnan(found.perplexity)
    assert not found.is_complete
    with pytest.raises(NonFiniteError):
        paired_difference(found, told["dense"])
    monkeypatch.setattr(comparing, "perplexity_stream", None)  # it is found, not tried again
    again = {}
    lab.compare({"broken": lab.plans[0]}, on_partial=lambda label, r: again.update({label: r}))
    assert again["broken"].failure
    assert rivals.evaluations_of(lab.workspace, lab.plans[0]) == {}


def test_what_compensates_is_held_for_one_plan_at_a_time(lab, monkeypatch) -> None:
    """The refits of all plans of a comparison were once in memory together."""
    alive: list[weakref.ref] = []
    most = 0
    read = files.StoredPlan.refits

    def refits(stored):
        nonlocal most
        found = read(stored)
        most = max(most, sum(each() is not None for each in alive))
        alive.append(weakref.ref(found[1].columns))
        return found

    monkeypatch.setattr(files.StoredPlan, "refits", refits)
    lab.compare(dict(zip("abcd", lab.plans, strict=True)))
    assert len(alive) == 4 * 4  # for each plan, once a batch
    assert most <= 1


def test_domains_are_parts_that_add_up_to_the_whole(lab) -> None:
    ids = lab.compare({"dense": None, "plan": lab.plans[0]})
    dense, plan = (stored(lab, ids[label]) for label in ("dense", "plan"))
    parts = plan.by_domain()
    assert list(parts) == ["prose", "code"]
    assert sum(part.nll_sum for part in parts.values()) == pytest.approx(plan.nll_sum)
    assert sum(part.n_tokens for part in parts.values()) == plan.n_tokens
    domains = lab.windows.domain_index[lab.windows.starts[:-1]]
    code = lab.windows.select(np.flatnonzero(domains == lab.windows.domain_names.index("code")))
    alone = perplexity_of(SimpleNamespace(**{**vars(lab), "windows": code}), lab.plans[0])
    assert parts["code"].perplexity == pytest.approx(alone.perplexity, rel=1e-5)
    # the paired differences of domains, weighted by their tokens, are that of the whole
    by_domain = paired_by_domain(plan, dense)
    weighted = (
        sum(by_domain[name].difference * part.n_tokens for name, part in parts.items())
        / plan.n_tokens
    )
    assert weighted == pytest.approx(paired_difference(plan, dense).difference)


def test_domains_are_read_in_turn(lab) -> None:
    told = []
    lab.compare({"dense": None}, on_partial=lambda _, result: told.append(result))
    assert [list(each.by_domain()) for each in told[:2]] == [["prose"], ["prose", "code"]]
    partial_, whole = told[1], told[-1]
    np.testing.assert_array_equal(partial_.windows, [0, 1, 4, 5])
    assert paired_by_domain(partial_, whole)["code"].difference == 0


def test_a_comparison_measures_what_is_silenced(study) -> None:
    plans = dict(zip("abc", study.plans(NO_REFIT, BIAS, LEAST_SQUARES), strict=True))
    ids = study.compare({"dense": None, **plans})
    dense = open_evaluation(study.workspace, ids["dense"])
    np.testing.assert_allclose(
        dense.window_nll, perplexity(study.model.model, study.windows).window_nll, rtol=1e-6
    )
    for label, id in plans.items():
        made = open_plan(study.workspace, id)
        refits = stored_plan(study.workspace, id).refits()
        expected = perplexity(
            study.model.model,
            study.windows,
            context=lambda made=made, refits=refits: silenced(
                study.model, made.removed, refits=refits
            ),
        )
        found = open_evaluation(study.workspace, ids[label])
        np.testing.assert_allclose(found.window_nll, expected.window_nll, rtol=1e-6)
        assert not np.allclose(found.window_nll, dense.window_nll, rtol=1e-3)


def test_the_same_cut_under_two_names_is_measured_once(study, monkeypatch) -> None:
    energy, flap = study.plans(BIAS, replace(BIAS, score="flap"))
    forward, calls = study.model.model.forward, []
    monkeypatch.setattr(
        study.model.model, "forward", lambda *a, **o: calls.append(1) or forward(*a, **o)
    )
    told: dict[str, Perplexity] = {}
    study.compare({"a": energy, "b": flap, "c": energy}, on_partial=told.__setitem__)
    assert len(calls) == 2  # 8 windows in batches of 4
    assert told["a"] is told["b"] is told["c"]
    assert told["a"].is_complete


def test_the_calibration_text_is_refused_for_evaluation(study) -> None:
    plan = study.plan(BIAS)
    mixed = evaluation_windows(study.model, [*HELD_OUT, CALIBRATION[1]], window=64)
    with pytest.raises(OverlapError, match=r"run of 50 tokens .*in 'prose-1'.*not be a result"):
        evaluate(study.workspace, study.model, mixed, plan_id=plan)
    assert study.workspace.ids("evaluations") == []
    evaluate(study.workspace, study.model, mixed)  # the dense model read nothing before


def test_a_result_says_whether_overlap_could_be_checked(study) -> None:
    plan = study.plan(BIAS)
    checked = study.compare({"plan": plan})["plan"]
    study.workspace.delete("evaluations", checked)
    study.workspace.delete("recordings", study.recording)
    unchecked = study.compare({"plan": plan})["plan"]
    assert unchecked == checked
    manifest = read_manifest(study.workspace.folder("evaluations", unchecked))
    assert manifest["is_overlap_checked"] is False


def test_a_comparison_that_is_stopped_keeps_what_is_whole(study) -> None:
    plan = study.plan(BIAS)
    cancel = CancelToken()

    def stop(label: str, result: Perplexity) -> None:
        if label == "dense" and result.is_complete:
            cancel.cancel()

    with pytest.raises(Cancelled):
        study.compare({"dense": None, "plan": plan}, on_partial=stop, cancel=cancel)
    assert [e.manifest["plan_id"] for e in study.workspace.entries("evaluations")] == [""]
    assert len(study.workspace.unfinished()) == 1  # what was read of the plan
    assert not study.model.model.model.layers[0].mlp.down_proj._forward_pre_hooks


def test_an_evaluation_alone_is_that_of_a_comparison(study) -> None:
    plan = study.plan(BIAS)
    told: list[Perplexity] = []
    alone = evaluate(
        study.workspace, study.model, study.windows, plan_id=plan, on_partial=told.append
    )
    assert [len(each.window_nll) for each in told] == [4, 8]
    assert study.compare({"x": plan})["x"] == alone


def test_a_plan_that_was_not_measured_has_no_evaluations(study) -> None:
    study.compare({"dense": None})
    assert rivals.evaluations_of(study.workspace, study.plan(BIAS)) == {}
