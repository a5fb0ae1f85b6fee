"""The name of a plan, by the rule."""

import pytest

from app.pruning.plan_names import name_of
from fnprune_core.plans.plan import PlanSettings


@pytest.mark.parametrize(
    ("settings", "given_up", "name"),
    [
        ({"ratio": 0.3, "preserved": (0, 1)}, ("french",), "30 %, without French, least squares"),
        ({"ratio": 0.3, "preserved": (0, 1)}, ("c++", "french"),
         "30 %, without C++ and French, least squares"),
        ({"ratio": 0.3, "preserved": (0, 1)}, (), "30 %, 4 networks not protected, least squares"),
        ({"ratio": 0.125, "compensation": "none"}, (), "12.5 %, no compensation"),
        ({"ratio": 0.2, "attention_ratio": 0.1, "allocation": "uniform", "pinned_keep": (3,)}, (),
         "20 %, 10 % of attention, least squares, uniform, 1 pinned"),
        ({"score": "random", "seed": 2}, (), "Random, 20 %, least squares, seed 2"),
    ],
)  # fmt: skip
def test_a_plan_is_called_by_what_sets_it_apart(settings, given_up, name) -> None:
    plan = PlanSettings(**settings)
    assert name_of(plan, achieved=0.3049, given_up=given_up, n_networks=6) == name


def test_a_plan_of_rounded_widths_is_called_by_what_goes() -> None:
    asked = PlanSettings(ratio=0.51, allocation="uniform", multiple=64)
    name = name_of(asked, achieved=0.5, given_up=(), n_networks=0)
    assert name == "50 %, least squares, uniform, widths by 64"
