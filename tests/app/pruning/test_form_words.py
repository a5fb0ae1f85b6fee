"""The form of a plan in the URL: every row of every table, and what makes no sense."""

import pytest

from app.pruning.form_words import FormWords, words_of
from app.shell.codec import decode_words, encode_words
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.scores.units import SCORES


@pytest.mark.parametrize(
    "fields",
    [{"score": name} for name in SCORES]
    + [{"compensation": name} for name in COMPENSATIONS]
    + [{"allocation": name} for name in ALLOCATIONS]
    + [{"unit": "parameters", "smaller": 33}, {"unit": "megabytes", "megabytes": 12_345}]
    + [{"ratio": 0, "attention": 90, "sinks": 0, "seed": 999}, {"weights": "1, 0.5, 0.1234"}],
    ids=str,
)
def test_a_form_is_read_as_it_was_written(fields) -> None:
    form = FormWords(**{"ratio": 30, **fields})
    words = encode_words(form)
    assert words.replace("-", "").isalnum()
    assert words.isascii()
    assert decode_words(FormWords, words) == form


def test_the_form_of_a_plan_is_that_of_its_settings() -> None:
    settings = PlanSettings(
        score="random", ratio=0.354, attention_ratio=0.1, allocation="weighted",
        layer_weights=(1.0, 0.25), compensation="none", sink_units=2, seed=7,
    )  # fmt: skip
    assert words_of(settings, share_of_parameters=0.2047) == FormWords(
        ratio=35, attention=10, score="random", allocation="weighted", weights="1, 0.25",
        compensation="none", sinks=2, seed=7,
    )  # fmt: skip


def test_a_plan_by_parameters_is_asked_for_in_these() -> None:
    by_size = words_of(PlanSettings(ratio=0.51234), share_of_parameters=0.300004)
    assert (by_size.unit, by_size.smaller) == ("parameters", 30)
    by_units = words_of(PlanSettings(ratio=0.3), share_of_parameters=0.200004)
    assert (by_units.unit, by_units.ratio) == ("units", 30)


def test_words_that_mean_nothing_are_passed_over() -> None:
    assert decode_words(FormWords, "w-wxx-w1x-r5-zzz-k-d1000000") == FormWords(ratio=5)
