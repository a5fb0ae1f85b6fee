"""JSON that people bring: bounded in size and depth, without what Python reads and JSON is not."""

import json
import math
import re
from collections import Counter
from typing import Any

#: Values of all kinds in one text; each takes up to about 100 bytes of memory.
MOST_VALUES = 2_000_000
MOST_DEPTH = 100
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(content: bytes | str, *, most_values: int = MOST_VALUES) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    most_values : int
        Numbers, texts, objects and lists in it; more are refused before they are made.

    Raises
    ------
    ValueError
        With the place where it can be told: if the text is not UTF-8 or not JSON, is nested
        deeper than `MOST_DEPTH`, holds too many values, a key twice in one object, a number that
        is not finite, or half a character (a lone surrogate).
    """
    text = _decoded(content)
    _check_amount(text, most_values)
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_object_of,
        )
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if _SURROGATE.search(text):
        _check_texts(value)
    return value


_TOO_DEEP = f"lists and objects are nested more than {MOST_DEPTH} deep"


def _decoded(content: bytes | str) -> str:
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"byte {error.start}, in line {line}, is not UTF-8") from error


def _check_amount(text: str, most_values: int) -> None:
    """Refuse a text of too many values or levels, from its marks alone."""
    n_openings = text.count("[") + text.count("{")
    n_marks = n_openings + text.count(",") + text.count(":")
    if n_marks > most_values or n_openings > MOST_DEPTH:
        marks = _STRING.sub("", text)  # those within texts do not count
        n_marks = sum(map(marks.count, "[{,:"))
        if n_marks > most_values:
            raise ValueError(f"it holds {n_marks:,} values, at most {most_values:,} are read")
        if _is_deep(marks):
            raise ValueError(_TOO_DEEP)


def _is_deep(marks: str) -> bool:
    depth = 0
    for mark in re.finditer(r"[\[\]{}]", marks):
        depth += 1 if mark[0] in "[{" else -1
        if depth > MOST_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in one object")
    return value


def _check_texts(value: Any) -> None:
    """Refuse half characters: no file and no tokenizer can hold them."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        raise ValueError(f"half a character, \\u{half:04x}, stands alone in a text") from error


def whole(value: object, *, what: str, low: int = 0, high: int) -> int:
    """Return a whole number within bounds; raises ValueError for all else, also for 1.0."""
    if type(value) is not int or not low <= value <= high:
        shown = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge one"
        raise ValueError(
            f"{what} is {shown[:60]}, a whole number from {low} to {high} was expected"
        )
    return value
