"""Rules on many networks, on numbers that are known; and what is refused before a job starts."""

import numpy as np
import pandas as pd
import pytest

from app.pruning import checks
from app.pruning.lab import rules
from app.pruning.lab.rules import RULES, Effect, Known, Terms
from app.pruning.tasks import PLAN, Planned
from app.shell.tasks import ModelShelf, Run, Task
from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER

KNOWN = Known(
    table=pd.DataFrame(
        {
            "network": range(5),
            "run_agreement": [0.9, 0.8, np.nan, 0.2, 0.6],
            "reproducibility": [np.nan] * 5,
            "variance_alone": [0.1, 0.5, 0.3, np.nan, 0.3],
        }
    ),
    domain_share=np.array(
        [[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.5, 0.25, 0.25], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]]
    ),
    domain_names=("fr", "py", "en"),
    tags=[{"position"}, set(), {"mine", "punctuation"}, {"attention sink"}, {"mine"}],
    serving=frozenset({0, 3}),
)


def effect(name, dropped=(), **terms) -> Effect:
    return rules.effect(RULES[name], Terms(**terms), KNOWN, dropped)


@pytest.mark.parametrize(
    ("name", "terms", "dropped", "after"),
    [
        ("all", {}, {1, 2}, set()),
        ("none", {}, {1}, {0, 1, 2, 3, 4}),
        ("invert", {}, {0, 4}, {1, 2, 3}),
        ("trust", {"statistic": "run_agreement", "least": 0.6}, {0}, {0, 3}),
        ("trust", {"statistic": "reproducibility", "least": 1.0}, {0}, {0}),
        ("trust", {"statistic": "nothing", "least": 1.0}, {0}, {0}),
        ("keep-domains", {"domains": ("fr", "py")}, {0, 1, 2, 3}, {2, 3}),
        ("only-domains", {"domains": ("fr", "py"), "share": 0.4}, {0}, {3, 4}),
        ("prune-domains", {"domains": ("fr", "en")}, {3}, {0, 3, 4}),
        ("prune-domains", {"domains": ()}, {3}, {3}),
        ("prune-domains", {"domains": ("gone",)}, {3}, {3}),
        ("strongest", {"count": 2}, {1}, {0, 3, 4}),
        ("strongest", {"count": 9}, {1}, set()),
        ("tagged", {"tags": ("mine", "attention sink")}, {1}, {1, 2, 3, 4}),
        ("tagged", {}, {1}, {1}),
    ],
)
def test_rule_finds_what_it_says(name, terms, dropped, after) -> None:
    found = effect(name, dropped, **terms)
    assert found.dropped == after
    assert found.pruned == after - dropped
    assert found.kept == dropped - after
    assert found.n_changed == len(after ^ dropped)


def test_every_rule_says_what_it_does_and_can_be_looked_at_alone() -> None:
    sentences = [rule.says(Terms(domains=("fr",), tags=("mine",))) for rule in RULES.values()]
    assert len(set(sentences)) == len(RULES)
    assert RULES["prune-domains"].says(Terms(domains=("fr", "en"))) == "rule: over half in fr or en"
    assert RULES["prune-domains"].says(Terms(domains=("fr",), share=0.7)).endswith("70% in fr")


def test_networks_that_serve_all_texts_are_named_first_and_can_be_spared() -> None:
    found = effect("none", {0})
    assert found.serving == {3}  # 0 is dropped already: nobody needs to be asked again
    spared = found.sparing()
    assert (spared.dropped, spared.pruned, spared.serving) == ({0, 1, 2, 4}, {1, 2, 4}, frozenset())
    assert effect("keep-domains", {0, 3}, domains=("fr",)).serving == frozenset()


def test_numbers_outside_the_atlas_do_not_come_back() -> None:
    assert effect("invert", {99, 0}).dropped == {1, 2, 3, 4}


LAYOUT = UnitLayout((40,) * 10)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ratio": 0.5}, None),
        ({"ratio": 0.9, "allocation": "uniform"}, None),  # 4 of 40 stay: the sink units
        ({"ratio": 0.91, "allocation": "uniform"}, "at most 0.900"),
        ({"ratio": 0.9, "allocation": "uniform", "sink_units": 5}, "at most 0.875"),
        ({"ratio": 0.85}, "at most 0.810"),  # the first layer is exempt
        ({"ratio": 0.9, "allocation": "uniform", "pinned_keep": (0, 1)}, None),  # may be sinks
        ({"ratio": 0.9, "allocation": "uniform", "pinned_keep": tuple(range(5))}, "at most 0.897"),
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
        settings = PlanSettings(ratio=ratio)
        error = checks.refusal(settings, LAYOUT, has_dummy_tokens=True)
        assert (error is None) == possible


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_log_is_kept_once_the_plan_is_made_even_if_measuring_is_stopped(
    workspace, is_damaged
) -> None:
    log = [decision_log.decision((), (1,), what="by hand", reason="noise")]
    path = decision_log.path_of(workspace, "p1")
    if is_damaged:
        path.parent.mkdir(parents=True)
        path.write_text("{")
    told: list[object] = []

    def run(run: Run) -> str:
        run.report(Planned(plan_ids={"dense": None, PLAN: "p1"}, note=""))
        raise KeyboardInterrupt

    task = Task(kind="prune", title="t", inputs={"a": 1}, function=run)
    wrapped = checks.with_log(task, workspace, log)
    assert wrapped.inputs == task.inputs  # the same work is still the same job
    with pytest.raises(KeyboardInterrupt):
        wrapped.job(workspace, ModelShelf())(told.append, NEVER)
    assert len(told) == 1
    if is_damaged:
        assert path.read_text() == "{"
    else:
        assert decision_log.read_notes(workspace, "p1").decisions == tuple(log)
