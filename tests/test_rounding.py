import numpy as np
import pytest

from fnprune_core.errors import PlanError, SettingsError
from fnprune_core.export.rounding import fit_of, plan_again, plan_for_form
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans import decision_log
from fnprune_core.plans.allocation import ALLOCATIONS, choose_units, default_multiple
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.planner import plan

UNIFORM = PlanSettings(score="flap", ratio=0.3, allocation="uniform", sink_units=2)


@pytest.fixture
def made(workspace, llama, recording):
    """Make a plan of the recording: ``made(settings)`` returns its id."""

    def make(settings=UNIFORM):
        return plan(workspace, llama, recording_id=recording.id, settings=settings)

    return make


def opened(workspace, id):
    return PruningPlan.read(workspace.folder("plans", id))


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("widths", [(48, 48, 48), (40, 64, 50)])
def test_widths_are_rounded_up_and_the_best_of_what_went_stay(allocation, widths):
    layout = UnitLayout(widths)
    scores = np.random.default_rng(0).exponential(size=layout.n_units)
    options = {
        "layout": layout,
        "ratio": 0.4,
        "allocation": allocation,
        "protected": np.zeros(layout.n_units, dtype=bool),
    }
    exact = choose_units(scores, **options)
    rounded = choose_units(scores, **options, multiple=8)
    kept = [width - len(part) for width, part in zip(widths, rounded.removed, strict=True)]
    if allocation == "uniform" and len(set(widths)) == 1:
        assert kept == [32] * 3
    for layer, (before, after) in enumerate(zip(exact.removed, rounded.removed, strict=True)):
        assert kept[layer] % 8 == 0 or kept[layer] == widths[layer]
        if allocation != "uniform":
            assert 0 <= len(before) - len(after) < 8
        assert set(after) <= set(before)
        part = layout.split(scores)[layer]
        returned = np.setdiff1d(before, after)
        if len(returned) and len(after):
            assert part[returned].min() > part[after].max()


def test_uniform_widths_are_alike_even_astride_a_multiple():
    """47 of 144 leave 33, 32 and 32: each rounded by itself, only the first would become 40."""
    layout = UnitLayout((48, 48, 48))
    choice = choose_units(
        np.arange(144.0),
        layout=layout,
        ratio=47 / 144,
        allocation="uniform",
        protected=np.zeros(144, dtype=bool),
        multiple=8,
    )
    assert [len(part) for part in choice.removed] == [8, 8, 8]


@pytest.mark.parametrize(
    ("width", "multiple"), [(11008, 64), (1536, 64), (1023, 32), (48, 2), (8, 1)]
)
def test_small_layers_are_rounded_less(width, multiple):
    assert default_multiple(width) == multiple


def test_a_uniform_plan_is_made_again_with_rounding_and_then_found(workspace, llama, made):
    id = made()
    assert len(set(opened(workspace, id).kept_widths)) == 2  # met to one unit
    rounded = plan_for_form(workspace, llama, id, form="uniform", multiple=8)
    after = opened(workspace, rounded)
    assert after.kept_widths == (40, 40, 40)
    assert after.achieved_ratio == pytest.approx(8 / 48)
    assert after.settings == UNIFORM.with_(multiple=8)
    assert rounded == made(UNIFORM.with_(multiple=8))
    assert plan_for_form(workspace, llama, rounded, form="uniform", multiple=8) == rounded
    assert plan_for_form(workspace, llama, rounded, form="uniform") == rounded
    finer = plan_for_form(workspace, llama, id, form="uniform")
    assert opened(workspace, finer).kept_widths == (34, 34, 34)


def test_a_plan_made_again_keeps_the_log_of_decisions(workspace, llama, made):
    id = made(UNIFORM.with_(allocation="global"))
    steps = [decision_log.decision([], [2], what="by hand", reason="noise")]
    decision_log.add_decisions(workspace, id, steps)
    again = plan_again(workspace, llama, id, allocation="uniform", multiple=8)
    assert opened(workspace, again).settings == UNIFORM.with_(multiple=8)
    assert decision_log.read_notes(workspace, again).decisions == tuple(steps)


def test_whether_a_plan_fits_a_form_is_told_with_the_reason(workspace, made):
    ragged = opened(workspace, made(UNIFORM.with_(allocation="global")))
    assert fit_of(ragged, form="masked").reason == ""
    assert fit_of(ragged, form="per-layer").reason == ""
    for form in ("uniform", "gguf"):
        assert "needs layers that are alike" in fit_of(ragged, form=form).reason
    rounded = opened(workspace, made(UNIFORM.with_(multiple=8)))
    assert fit_of(rounded, form="uniform", multiple=8).reason == ""
    assert "keeps 40 units a layer, which are no multiples of 16" in (
        fit_of(rounded, form="uniform", multiple=16).reason
    )
    assert fit_of(rounded, form="uniform").multiple == 2


def test_other_forms_take_the_plan_as_it_is_unless_asked_to_round(workspace, llama, made):
    id = made(UNIFORM.with_(allocation="global"))
    for form in ("masked", "per-layer"):
        assert plan_for_form(workspace, llama, id, form=form) == id
    rounded = opened(workspace, plan_for_form(workspace, llama, id, form="per-layer", multiple=5))
    for before, after in zip(opened(workspace, id).kept_widths, rounded.kept_widths, strict=True):
        assert after == min(48, -(-before // 5) * 5)


def test_what_cannot_be_rounded_is_refused_with_what_to_do(workspace, llama, made):
    id = made()
    with pytest.raises(SettingsError, match="keeps all shapes"):
        plan_for_form(workspace, llama, id, form="masked", multiple=8)
    with pytest.raises(SettingsError, match="multiple of 1 or more, got 0"):
        plan_for_form(workspace, llama, id, form="uniform", multiple=0)
    with pytest.raises(PlanError, match="every layer keeps all") as caught:
        plan_for_form(workspace, llama, id, form="uniform", multiple=48)
    assert "smaller multiple" in caught.value.hint
    ends = made(UNIFORM.with_(allocation="global"))
    with pytest.raises(PlanError, match="allocated by global") as caught:
        plan_for_form(workspace, llama, ends, form="uniform")
    assert "--allocation uniform" in caught.value.hint
    workspace.delete("recordings", opened(workspace, id).recording_id)
    with pytest.raises(PlanError, match="is not here"):
        plan_for_form(workspace, llama, id, form="uniform", multiple=8)
