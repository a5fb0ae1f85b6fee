"""Rules on many networks, on numbers that are known."""

import numpy as np
import pandas as pd
import pytest

from app.atlas.reliability import panels
from app.pruning.lab import rules
from app.pruning.lab.rule_buttons import button_label
from app.pruning.lab.rules import RULES, Effect, Known, Terms
from fnprune_core.reliability import results

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
    found = effect(name, {*dropped, 99}, **terms)  # which is not in the atlas
    assert found.dropped == after
    assert found.pruned == after - dropped
    assert found.kept == dropped - after
    assert found.n_changed == len(after ^ dropped)


def test_a_rule_s_button_says_how_many_of_those_it_is_about_change() -> None:
    found = effect("prune-domains", {0}, domains=("fr", "en"))
    assert button_label("prune-domains", found) == "Don't protect 1 of these 2"
    found = effect("only-domains", {0}, domains=("fr",))
    assert button_label("only-domains", found) == "Protect only these 1"


def test_every_rule_says_what_it_does_and_can_be_looked_at_alone() -> None:
    sentences = [rule.says(Terms(domains=("fr",), tags=("mine",))) for rule in RULES.values()]
    assert len(set(sentences)) == len(RULES)
    assert RULES["prune-domains"].says(Terms(domains=("fr", "en"))) == "rule: over half in fr or en"
    assert RULES["prune-domains"].says(Terms(domains=("fr",), share=0.7)).endswith("70 % in fr")


def test_networks_that_serve_all_texts_are_named_first_and_can_be_spared() -> None:
    found = effect("none", {0})
    assert found.serving == {3}  # 0 is dropped already: nobody needs to be asked again
    spared = found.sparing()
    assert (spared.dropped, spared.pruned, spared.serving) == ({0, 1, 2, 4}, {1, 2, 4}, frozenset())
    assert effect("keep-domains", {0, 3}, domains=("fr",)).serving == frozenset()


@pytest.mark.parametrize(
    ("columns", "name", "low"),
    [
        ({"run_agreement": [0.9, 0.2]}, "agreement of runs", [1]),
        ({"again_seeds": [0.2, 0.9]}, "Iq × share of seeds", [0]),
        ({"again_bootstrap": [0.1, 0.9], "again_seeds": [1, 1]}, "Iq × share of bootstraps", [0]),
        ({"reproducibility": [0.1, 0.9], "again_bootstrap": [1, 1]}, "split-half r", [0]),
    ],
)
def test_rules_read_the_most_telling_number_there_is(columns, name, low) -> None:
    table = pd.DataFrame({"run_agreement": [1.0, 1.0], **columns})
    found, values = rules.trust_of(table)
    assert found == name
    assert list(values.index[values < 0.6]) == low


def test_every_null_figure_has_a_column_that_is_read_against_it() -> None:
    for figures in results.SPEAKS_TO.values():
        assert {panels.OF_NULL[figure] for figure in figures} <= set(panels.FIGURES)
