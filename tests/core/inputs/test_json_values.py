import json
import time

import pytest

from fnprune_core.inputs import json_values
from fnprune_core.inputs.json_values import MOST_DEPTH, parse_json


@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5, None, True, "é\n"]}, [], "x", 3, {"😀": "\U0001f601"}]
)
def test_honest_json_is_what_python_reads(value) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value


def test_brackets_and_commas_within_texts_are_no_values() -> None:
    text = "[{,:" * 1000 + '\\"'
    assert parse_json(json.dumps([text]), most_values=10) == [text]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n\xff', "byte 9, in line 2, is not UTF-8"),
        ('{"a": 1,}', "line 1 column"),
        ('{"a": NaN}', "NaN is no number"),
        ("[1e999]", "1e999 is too large"),
        ("[" + "9" * 5000 + "]", "digits"),
        ('{"a": 1, "b": 2, "a": 3}', "the name 'a' stands twice"),
        ('{"a": ["\\ud800"]}', r"\\ud800, stands alone"),
        ('{"\\udc00b": 1}', r"\\udc00, stands alone"),
        ("[" * 101 + "]" * 101, "more than 100 deep"),
        ("[" * 5_000_000, "values, at most"),
        ('{"a":' * 100_000, "more than 100 deep"),
        ("[" + "0," * 30 + "0]", "holds 31 values, at most 20"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_no_bounded_json_is_refused_at_its_place(content, message) -> None:
    most_values = 20 if "at most 20" in message else json_values.MOST_VALUES
    start = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        parse_json(content, most_values=most_values)
    assert time.perf_counter() - start < 5


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "😀"
    assert parse_json("[" * MOST_DEPTH + "]" * MOST_DEPTH)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, 11, 10**5000], ids=type)
def test_only_whole_numbers_within_bounds_are_whole(value) -> None:
    assert json_values.whole(10, what="it", high=10) == 10
    with pytest.raises(ValueError, match=r"it is .*from 0 to 10 was expected"):
        json_values.whole(value, what="it", high=10)
