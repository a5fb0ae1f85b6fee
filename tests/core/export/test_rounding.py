from types import SimpleNamespace

import pytest

from fnprune_core.errors import PlanError, SettingsError
from fnprune_core.export import rounding
from fnprune_core.export.rounding import fit_of, plan_again, plan_for_form, roundings
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.planner import canonical_settings, plan

UNIFORM = PlanSettings(score="flap", ratio=0.3, allocation="uniform", sink_units=2)


@pytest.fixture
def made(workspace, llama, recording):
    """Make a plan of the recording: ``made(settings)`` returns its id."""

    def make(settings=UNIFORM):
        return plan(workspace, llama, recording_id=recording.id, settings=settings)

    return make


def opened(workspace, id):
    return PruningPlan.read(workspace.folder("plans", id))


def test_a_uniform_plan_is_made_again_with_rounding_and_then_found(workspace, llama, made):
    id = made()
    assert len(set(opened(workspace, id).kept_widths)) == 2  # met to one unit
    rounded = plan_for_form(workspace, llama, id, form="uniform", multiple=8)
    after = opened(workspace, rounded)
    assert after.kept_widths == (40, 40, 40)
    assert after.achieved_ratio == pytest.approx(8 / 48)
    assert after.settings == canonical_settings(UNIFORM.with_(multiple=8))
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
    assert opened(workspace, again).settings == canonical_settings(UNIFORM.with_(multiple=8))
    assert decision_log.read_notes(workspace, again).decisions == tuple(steps)


def test_whether_a_plan_fits_a_form_is_told_with_the_reason(workspace, made):
    ragged = opened(workspace, made(UNIFORM.with_(allocation="global")))
    assert fit_of(ragged, form="masked").reason == ""
    assert fit_of(ragged, form="per-layer").reason == ""
    assert fit_of(ragged, form="gguf").reason == ""
    assert "needs layers that are alike" in fit_of(ragged, form="uniform").reason
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


def test_what_a_plan_becomes_is_told_beforehand_and_true(workspace, llama, made):
    id = made(UNIFORM.with_(allocation="global"))  # 33.6 of 48 units stay in the mean
    choices = roundings(opened(workspace, id), 8)
    assert [each.width for each in choices] == [32, 40]
    for choice in choices:
        again = plan_again(
            workspace, llama, id, allocation="uniform", multiple=8, ratio=choice.ratio
        )
        plan = opened(workspace, again)
        assert set(plan.kept_widths) == {choice.width}
        assert plan.achieved_ratio == pytest.approx(choice.ratio)
        assert plan.share_of_parameters == pytest.approx(choice.share_of_parameters)
    assert [each.width for each in roundings(opened(workspace, id), 64)] == [48]


@pytest.mark.parametrize(
    ("widths", "fit", "unfit"),
    [
        ((512, 256), ("64", "128", "256"), ()),
        ((512, 384), ("64", "128"), ("256",)),
        ((512, 320), ("64",), ("128", "256")),
        ((512, 300), (), ("64", "128", "256")),
    ],
)
def test_a_plan_says_whom_the_widths_of_all_its_layers_fit(widths, fit, unfit):
    told, _, refused = rounding.widths_sentence(SimpleNamespace(kept_widths=widths)).partition(";")
    assert all(f"({multiple})" in told for multiple in fit)
    assert all(f"({multiple})" in refused for multiple in unfit)
    assert refused.count("(") == len(unfit)
