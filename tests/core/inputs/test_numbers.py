import time

import pytest

from fnprune_core.errors import SettingsError
from fnprune_core.inputs import numbers


def test_spans_are_counted_before_they_are_spelled_out() -> None:
    spans = numbers.spans_in("3, 7-9,1")
    assert spans == [(3, 3), (7, 9), (1, 1)]
    assert numbers.numbers_of(spans, most=5, complaint=ValueError) == [3, 7, 8, 9, 1]
    start = time.perf_counter()
    with pytest.raises(ValueError, match="999999999"):
        numbers.numbers_of([(1, 999_999_999)], most=5, complaint=ValueError)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("text", ["9-1", "1-", "-1", "1--2", "٣", "1e3", "9" * 10, "1," * 20_000])
def test_what_is_no_list_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"is no whole|ends before|at most 20,000"):
        numbers.spans_in(text)


def test_overlapping_spans_are_one() -> None:
    assert numbers.merged([(5, 9), (0, 2), (3, 4), (20, 30), (7, 12)]) == [(0, 12), (20, 30)]


@pytest.mark.parametrize("text", ["nan", "1,inf", "1e999", "x", "1," * 101])
def test_what_is_no_list_of_finite_numbers_is_refused(text) -> None:
    assert numbers.reals_in(" 0.1,,2 ", most=100) == (0.1, 2.0)
    with pytest.raises(ValueError, match=r"finite|could not convert|over 100"):
        numbers.reals_in(text, most=100)


@pytest.mark.parametrize(
    ("value", "told"), [(101, "101"), (10**20, "about 10^20"), (float("nan"), "nan")]
)
def test_a_setting_out_of_bounds_is_named_with_its_bound(value, told) -> None:
    numbers.check_most("n", 100, 100)
    for check in (
        lambda: numbers.check_most("n", value, 100),
        lambda: numbers.check_range("n", value, 0, 100),
    ):
        with pytest.raises(SettingsError, match="100") as caught:
            check()
        assert caught.value.message.startswith("n ")
        assert told in caught.value.message
