"""The form of a plan: its share of attention, its compensation, and what is said of them."""

import pytest
from driving import finish, press, said

from app.shell import resources
from fnprune_core.errors import SettingsError
from fnprune_core.export.size import SizeGoal, ratio_for
from fnprune_core.models.footprint import Dimensions
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import ignore
from fnprune_core.pruning import head_planner
from fnprune_core.pruning.compensation import COMPENSATIONS, compensation_named
from fnprune_core.pruning.planner import canonical_settings


@pytest.mark.parametrize("name", COMPENSATIONS)
def test_every_compensation_is_named_where_it_is_chosen(name):
    from app.pruning.lab.settings import explained_compensations

    with pytest.raises(SettingsError, match=rf"Use one of .*\b{name}\b"):
        compensation_named("?")
    assert f"- {COMPENSATIONS[name].label}:" in explained_compensations()


def captions(at) -> str:
    return "\n".join(each.value for each in at.caption).replace("\\", "")


def test_a_size_is_asked_for_and_the_units_follow(open_page, example) -> None:
    at = open_page("prune", **example.view())
    at.selectbox(key="prune-unit").set_value("parameters").run()
    assert "known once the model is loaded" in said(at)
    assert at.button(key="prune-apply").disabled
    model = resources.shelf().get(example.model, progress=ignore)
    at.slider(key="prune-smaller").set_value(10).run()
    goal = SizeGoal(smaller=0.1)
    settings = canonical_settings(PlanSettings())
    ratio = ratio_for(goal, Dimensions.of(model), model.layout, settings)
    assert f"That takes {100 * ratio:.1f} % of the MLP units" in captions(at)
    assert not at.button(key="prune-apply").disabled
    link = {k: v if isinstance(v, str) else v[0] for k, v in at.query_params.items()}
    assert "ofparameters-p10" in link["form"]
    there = open_page("prune", **link)
    assert there.slider(key="prune-smaller").value == 10
    at.slider(key="prune-smaller").set_value(80).run()
    assert "cannot be that small" in said(at)
    assert at.button(key="prune-apply").disabled
    at.selectbox(key="prune-unit").set_value("megabytes").run()
    assert "MB" in at.number_input(key="prune-megabytes").label


def test_attention_is_asked_for_and_said_in_the_model_s_own_numbers(open_page, example) -> None:
    at = open_page("prune", **example.view())
    assert at.slider(key="prune-attention").value == 0
    at.slider(key="prune-attention").set_value(34).run()
    assert "known once it is loaded" in captions(at)
    model = resources.shelf().get(example.model, progress=ignore)
    at.run()
    assert "3 layers of 2 KV groups, 2 query heads each; about 2 of 6 go" in captions(at)
    share = head_planner.expected_share(model, PlanSettings(ratio=0.2, attention_ratio=0.34))
    assert f"About {100 * share:.1f} % of all parameters go" in captions(at)
    at.slider(key="prune-attention").set_value(80).run()
    assert "at most 0.500 of all KV groups can go" in said(at)
    assert at.button(key="prune-apply").disabled
    at.slider(key="prune-attention").set_value(50).run()
    assert not at.button(key="prune-apply").disabled


def test_the_share_is_searched_and_taken(open_page, example) -> None:
    resources.shelf().get(example.model, progress=ignore)
    at = open_page("prune", **example.view())
    at.slider(key="prune-ratio").set_value(40).run()
    at.segmented_control(key="division").set_value("Units and attention").run()
    press(at, "Search")
    finish(at)
    assert not at.exception
    table = next(each.value for each in at.dataframe if "attention" in each.value)
    assert list(table["attention"]) == [0, 1 / 6]
    assert table["units"][0] == 0.4 > table["units"][1]
    assert (table["perplexity"] > 1).all()
    best = table.loc[table["perplexity"].idxmin()]
    at.button(key="shares-use").click().run()
    assert at.slider(key="prune-ratio").value == round(100 * best["units"])
    assert at.slider(key="prune-attention").value == round(100 * best["attention"])
    at.slider(key="prune-ratio").set_value(0).run()
    at.slider(key="prune-attention").set_value(0).run()
    assert "Nothing is to go" in said(at)


def test_weights_of_layers_are_searched_taken_and_checked(open_page, example) -> None:
    resources.shelf().get(example.model, progress=ignore)
    at = open_page("prune", **example.view())
    press(at, "Search")  # of layers: the first of the two
    job = finish(at)
    assert job.state == "done", job.failure
    assert not at.exception
    if not job.result.best.settings.layer_weights:  # nothing helped: weights by hand, then
        assert "better than what it began with" in "\n".join(each.value for each in at.markdown)
        at.segmented_control(key="prune-allocation").set_value("weighted").run()
        at.text_input(key="prune-weights").set_value("1, 0.5, 0").run()
    else:
        at.button(key="layers-use").click().run()
    assert not at.exception
    assert at.segmented_control(key="prune-allocation").value == "weighted"
    assert len(at.text_input(key="prune-weights").value.split(",")) == 3
    assert not at.button(key="prune-apply").disabled
    for wrong, told in (("1, 2", "one weight for each of 3 layers"), ("a, b, c", "are numbers")):
        at.text_input(key="prune-weights").set_value(wrong).run()
        assert told in said(at)
        assert at.button(key="prune-apply").disabled
