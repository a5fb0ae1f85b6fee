"""A cut divided between MLP units and attention: equal sizes, honest losses, the best of them."""

import numpy as np
import pytest
import tiny

from fnprune_core.errors import OverlapError, RatioError, SettingsError, TextError
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.search.attention import ShareOrder, mixes_of_equal_size
from fnprune_core.pruning.search.trials import search, unread_windows
from fnprune_core.pruning.slicing import prune
from fnprune_core.texts.documents import Document

BASE = PlanSettings(score="flap", ratio=0.4, sink_units=0, allocation="uniform")
SHARES = (0.0, 0.17, 0.34)  # none, one and two of six groups
WINDOWS = tiny.toy_windows(seed=5).select(range(3))  # the recording did not read them


def order(recording) -> ShareOrder:
    return ShareOrder(recording_id=recording.id, base=BASE, shares=SHARES)


def test_mixes_take_equally_much_lose_what_the_pruned_model_does_and_the_least_is_best(
    workspace, llama, recording
) -> None:
    told = []
    found = search(workspace, llama, WINDOWS, order=order(recording), on_partial=told.append)
    assert [len(each.mixes) for each in told] == [1, 2, 3]
    for mix in found.mixes:
        plan = files.open_plan(workspace, mix.plan_id)
        pruned = prune(llama, plan, refits=files.stored_plan(workspace, mix.plan_id).refits())
        *_, plain = perplexity_stream(pruned, WINDOWS)
        np.testing.assert_allclose(mix.result.window_nll, plain.window_nll, rtol=1e-4)
    gone = np.array([mix.plan.share_of_parameters for mix in found.mixes])
    one_unit = (1 - gone.max()) / llama.layout.n_units
    assert np.ptp(gone) < 2 * one_unit * llama.layout.n_layers  # a layer's share is a whole number
    assert [mix.settings.attention_ratio for mix in found.mixes] == [0, 1 / 6, 2 / 6]
    ratios = [mix.settings.ratio for mix in found.mixes]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] == pytest.approx(0.4)
    losses = [mix.result.mean_nll for mix in found.mixes]
    assert found.best is found.mixes[int(np.argmin(losses))]
    assert [row["is_best"] for row in found.rows()] == [x == min(losses) for x in losses]
    assert tiny.is_idle(llama)


def test_what_cannot_be_divided_says_what_would_do(llama) -> None:
    with pytest.raises(RatioError, match="Nothing is to go"):
        mixes_of_equal_size(llama, BASE.with_(ratio=0.0))
    with pytest.raises(SettingsError, match="fewer than two mixes"):
        mixes_of_equal_size(llama, BASE, shares=(0.0, 0.01))
    with pytest.raises(SettingsError, match=r"lies in \[0, 1\)"):
        ShareOrder(recording_id="", base=BASE, shares=(0.0, 10))
    # A share that alone takes more than the whole cut is no mix of that size.
    small = mixes_of_equal_size(llama, BASE.with_(ratio=0.2), shares=(0.0, 0.17, 0.75))
    assert [each.attention_ratio for each in small] == [0, 1 / 6]


def test_plans_are_tried_on_what_was_not_recorded(workspace, llama, recording) -> None:
    with pytest.raises(OverlapError):
        search(workspace, llama, recording.windows, order=order(recording))
    name = recording.windows.document_names[0]
    known = Document("aq ar as " * 40, "prose", name)
    other = Document("at aq ar " * 40, "prose", "another")
    found = unread_windows(llama, [known, other], recording, max_windows=2)
    assert found.document_names == ("another",)
    assert found.n_windows == 2
    with pytest.raises(TextError, match="read all of these documents"):
        unread_windows(llama, [known], recording)
