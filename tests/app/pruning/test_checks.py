import pytest

from app.pruning import checks
from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.plan import PlanSettings

LAYOUT = UnitLayout((40,) * 10)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ratio": 0.5}, None),
        ({"ratio": 0.9, "allocation": "uniform", "score": "random"}, None),  # 4 of 40 stay: sinks
        ({"ratio": 0.91, "allocation": "uniform", "score": "random"}, "at most 0.900"),
        ({"ratio": 0.91, "allocation": "uniform"}, None),  # its score sees the sinks
        ({"ratio": 0.9, "allocation": "uniform", "sink_units": 5}, "at most 0.875"),
        ({"ratio": 0.85, "sink_units": 4}, "at most 0.810"),  # the first layer is exempt
        ({"ratio": 0.9, "allocation": "uniform", "sink_units": 4, "pinned_keep": (0, 1)}, None),
        (
            {
                "ratio": 0.9,
                "allocation": "uniform",
                "sink_units": 4,
                "pinned_keep": tuple(range(5)),
            },
            "at most 0.897",
        ),
        ({"ratio": 0.01, "pinned_remove": (0, 1, 2, 3, 4)}, "pinned to go"),
        ({"ratio": 0.5, "pinned_remove": tuple(range(40))}, "layer 0"),
        ({"ratio": 0.5, "pinned_keep": (999,)}, "999"),
        ({"ratio": 0.9, "score": "flap-published"}, None),  # brings no sink rule of its own
    ],
)
def test_impossible_plans_are_known_before_any_work(settings, says) -> None:
    error = checks.refusal(PlanSettings(**settings), LAYOUT, has_dummy_tokens=True)
    assert (error is None) == (says is None), error
    if error is not None:
        assert says in str(error).lower()
        assert isinstance(error, (RatioError, SettingsError)) or "layer" in str(error)


def test_what_is_refused_is_what_planning_refuses() -> None:
    """The most that is possible, as it is said, is possible; one unit more is not."""
    for ratio, possible in ((0.81, True), (0.8125, False)):
        settings = PlanSettings(ratio=ratio, sink_units=4)
        error = checks.refusal(settings, LAYOUT, has_dummy_tokens=True)
        assert (error is None) == possible
