import numpy as np
import pytest

from fnprune_core.errors import PlanError, RatioError
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.preview import why_not_previewed
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES, sink_units

SETTINGS = PlanSettings(preserved=(0, 2), ratio=0.3, allocation="uniform", sink_units=2)


def exact_removal(llama, recording, atlas, settings) -> np.ndarray:
    """Return which units go in the plan itself."""
    chosen = canonical_settings(settings)
    inputs = RecordedInputs(
        language_model=llama,
        recording=recording,
        atlas=atlas,
        preserved=chosen.preserved or tuple(range(atlas.n_networks)),
        seed=chosen.seed,
    )
    scores, sinks = SCORES[chosen.score].compute(inputs), sink_units(inputs, chosen.sink_units)
    choice = choose_units(scores, chosen, layout=recording.layout, sinks=sinks)
    return ~recording.layout.keep_of(choice.removed)


# Plans


@pytest.mark.parametrize("score", SCORES)
def test_a_preview_is_the_plan_or_says_why_not(score, preview, llama, recording, atlas) -> None:
    settings = SETTINGS.with_(score=score, seed=3, pinned_keep=(50, 7), pinned_remove=(9, 100))
    if SCORES[score].needs_model:
        assert why_not_previewed(score)
        with pytest.raises(PlanError, match="not previewed"):
            preview.plan(settings)
        return
    assert not why_not_previewed(score)
    expected = exact_removal(llama, recording, atlas, settings)
    np.testing.assert_array_equal(~preview.plan(settings).keep, expected)
    with pytest.raises(RatioError, match="at most"):
        preview.plan(settings.with_(ratio=0.99))
