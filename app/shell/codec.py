"""Dataclasses in the URL: each field says in its metadata how it is written and read.

A view is a set of parameters, ``network=3&z=2.5``; the options of a page are words with hyphens
between, ``matrix-partial-e10``. What is at its default stays out, and what makes no sense where
it is read falls back to the default. Values must never be longer than a URL bears.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from fnprune_core.inputs import numbers
from fnprune_core.inputs.numbers import MOST_CHARACTERS, MOST_DIGITS, merged

T = TypeVar("T")

MAX_TEXT = 600
MOST_IDENTITY = 64
MOST_PATH = 4096
MOST_SENTENCE = 160
_MOST_REAL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Writer and reader of a field's values.

    Parameters
    ----------
    write : callable
        Value to text.
    read : callable
        Text to value; raises ValueError where it makes no sense.
    """

    write: Callable[[Any], str]
    read: Callable[[str], Any]


def parameter(codec: Codec, default: Any, *, name: str = "") -> Any:
    """Return a dataclass field with a codec; `name` in the URL is the field's own by default."""
    return field(default=default, metadata={"codec": codec, "name": name})


def _rows(kind: Any) -> list[tuple[str, str, Any, Codec]]:
    """Return field, name in the URL, default and codec of each field that has one."""
    return [
        (entry.name, entry.metadata["name"] or entry.name, entry.default, entry.metadata["codec"])
        for entry in fields(kind)
        if "codec" in entry.metadata
    ]


# Parameters -------------------------------------------------------------------------------------


def names(kind: type) -> set[str]:
    """Return the names in the URL of a dataclass's fields."""
    return {name for _, name, _, _ in _rows(kind)}


def encode(value: Any) -> dict[str, str]:
    """Return a dataclass as parameters; what is at its default stays out."""
    parameters = {}
    for field_name, name, default, codec in _rows(value):
        text = codec.write(getattr(value, field_name))
        if text != codec.write(default):
            parameters[name] = text
    return parameters


def decode(kind: type[T], parameters: Mapping[str, str]) -> T:
    """Return the dataclass of `encode`."""
    values = {}
    for field_name, name, _, codec in _rows(kind):
        try:
            values[field_name] = codec.read(parameters[name])
        except (KeyError, ValueError):
            continue
    return kind(**values)


def _checked(value: str, is_right: bool) -> str:
    if not is_right:
        raise ValueError(value)
    return value


def whole_number(text: str, *, low: int = 0, high: int = 10**MOST_DIGITS - 1) -> int:
    """Return a number from `low` to `high`; raises ValueError for anything but a few digits."""
    return min(max(numbers.whole_number(text), low), high)


def _real_number(text: str, low: float, high: float) -> float:
    value = float(_checked(text, len(text) <= _MOST_REAL and text.isascii()))
    if value != value:
        raise ValueError(text)
    return min(max(value, low), high)


def _is_identity(text: str) -> bool:
    return text.isalnum() and text.isascii() and len(text) <= MOST_IDENTITY


#: Free text; what is longer than `MAX_TEXT` stays out of the URL.
TEXT = Codec(
    write=lambda text: text if len(text) <= MAX_TEXT else "", read=lambda text: text[:MAX_TEXT]
)
#: As `TEXT`, where an empty one makes no sense.
FILLED_TEXT = Codec(
    write=str,
    read=lambda text: _checked(text, 0 < len(text) <= MOST_PATH and text.isprintable()),
)
#: A short line of plain text.
SENTENCE = Codec(
    write=lambda text: text if len(text) <= MOST_SENTENCE else "",
    read=lambda text: _checked(text, len(text) <= MOST_SENTENCE and text.isprintable()),
)
#: The id of an artifact or a job.
IDENTITY = Codec(write=str, read=lambda text: _checked(text, _is_identity(text)))
#: A name of our own, with hyphens.
WORD = Codec(
    write=str,
    read=lambda text: _checked(
        text, text.replace("-", "").isalnum() and text.isascii() and len(text) <= MAX_TEXT
    ),
)
#: A column, with a minus before it for the largest first.
COLUMN = Codec(
    write=str,
    read=lambda text: _checked(
        text,
        text.removeprefix("-").isidentifier() and text.isascii() and len(text) <= MOST_IDENTITY,
    ),
)
#: A number from 0.
INDEX = Codec(write=str, read=whole_number)


def real(low: float, high: float) -> Codec:
    """Return the codec of a number within bounds."""
    return Codec(write=lambda x: f"{x:g}", read=lambda text: _real_number(text, low, high))


def one_of(choices: Collection[str]) -> Codec:
    """Return the codec of a choice."""
    return Codec(write=str, read=lambda text: _checked(text, text in choices))


def identities(most: int) -> Codec:
    """Return the codec of several ids, at most so many."""

    def read(text: str) -> tuple[str, ...]:
        ids = (word for word in text[: MOST_IDENTITY * most].split(".") if _is_identity(word))
        return tuple(dict.fromkeys(ids))[:most]

    return Codec(write=".".join, read=read)


def ranges(largest: int, *, is_bounded: bool = False) -> Codec:
    """Return the codec of a set of numbers up to `largest`.

    Parameters
    ----------
    is_bounded : bool
        Whether what is longer than `MAX_TEXT` stays out of the URL.
    """

    def write(numbers: Iterable[int]) -> str:
        text = compact(numbers)
        return text if not is_bounded or len(text) <= MAX_TEXT else ""

    return Codec(write=write, read=lambda text: expand(text, largest=largest))


#: Network, its peak unit, and the sign there.
Peak = tuple[int, int, int]
MOST_PEAKS = 64
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _write_peaks(peaks: Iterable[Peak]) -> str:
    return ".".join(
        f"{network}_{'-' if sign < 0 else ''}{_in_base_36(unit)}" for network, unit, sign in peaks
    )


def _read_peaks(text: str) -> tuple[Peak, ...]:
    peaks: dict[int, Peak] = {}
    for word in text.split(".")[:MOST_PEAKS]:
        network, _, unit = word.partition("_")
        digits = unit.removeprefix("-")
        if not (0 < len(digits) <= MOST_DIGITS and set(digits) <= set(_DIGITS)):
            continue
        try:
            number = whole_number(network)
        except ValueError:
            continue
        peaks.setdefault(number, (number, int(digits, 36), -1 if unit.startswith("-") else 1))
    return tuple(peaks.values())


def _in_base_36(number: int) -> str:
    text = _DIGITS[number % 36]
    while number := number // 36:
        text = _DIGITS[number % 36] + text
    return text


#: Peaks of networks: ``"4_tty.7_-1b2"``; what cannot be read is left out.
PEAKS = Codec(write=_write_peaks, read=_read_peaks)


def compact(numbers: Iterable[int]) -> str:
    """Return numbers as ranges: (0, 1, 2, 5) is ``"0-2.5"``."""
    runs = merged([(number, number) for number in numbers])
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def expand(text: str, *, largest: int = 4096) -> tuple[int, ...]:
    """Return the numbers of `compact`; what cannot be read is left out.

    Spans are joined before they are spelled out: many that overlap cost no more than one.
    """
    spans = []
    for range_text in text[:MOST_CHARACTERS].split("."):
        first, _, last = range_text.partition("-")
        try:
            start, end = whole_number(first), whole_number(last or first)
        except ValueError:
            continue
        if start <= min(end, largest):
            spans.append((start, min(end, largest)))
    return tuple(number for first, last in merged(spans) for number in range(first, last + 1))


# Words ------------------------------------------------------------------------------------------


def encode_words(value: Any) -> str:
    """Return a dataclass as words; what is at its default stays out."""
    words = [
        codec.write(getattr(value, field_name))
        for field_name, _, default, codec in _rows(value)
        if getattr(value, field_name) != default
    ]
    return "-".join(word for word in words if word)


def decode_words(kind: type[T], text: str) -> T:
    """Return the dataclass of `encode_words`; words that mean nothing here are passed over."""
    values = {}
    for word in text[:MAX_TEXT].split("-"):
        for field_name, _, _, codec in _rows(kind):
            try:
                values[field_name] = codec.read(word)
            except (KeyError, ValueError):
                continue
    return kind(**values)


def flag(word: str) -> Codec:
    """Return the codec of a statement that is true where its word stands."""
    return Codec(
        write=lambda is_true: word if is_true else "",
        read=lambda text: bool(_checked(text, text == word)),
    )


def named(words: Mapping[Any, str]) -> Codec:
    """Return the codec of values that have words."""
    values_by_word = {word: value for value, word in words.items()}
    return Codec(write=lambda value: words.get(value, ""), read=values_by_word.__getitem__)


def lettered(letter: str, low: int, high: int) -> Codec:
    """Return the codec of a number within bounds after a letter."""

    def read(text: str) -> int:
        if text[:1] != letter or len(text) > 1 + max(3, len(str(high))):
            raise ValueError(text)
        return whole_number(text[1:], low=low, high=high)

    return Codec(write=lambda number: f"{letter}{number}", read=read)
