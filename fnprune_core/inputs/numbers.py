"""Lists of whole numbers as people write them, ``1,3,7-12``, read without building a long range."""

import math
from collections.abc import Callable

from fnprune_core.errors import SettingsError

MOST_DIGITS = 9
#: Largest bounds of what people give, wherever it is given.
MOST_NETWORKS = 100_000
MOST_SEED = 2**63 - 1
#: Characters of a list; as many as all of 4096 networks need, every second one.
MOST_CHARACTERS = 20_000


def whole_number(text: str) -> int:
    """Return a number of at most `MOST_DIGITS` ASCII digits; raises ValueError for all else."""
    if not (text.isdecimal() and text.isascii() and len(text) <= MOST_DIGITS):
        raise ValueError(f"{text[:40]!r} is no whole number of at most {MOST_DIGITS} digits")
    return int(text)


def spans_in(text: str) -> list[tuple[int, int]]:
    """Return the first and last numbers of the spans in a list.

    Raises
    ------
    ValueError
        Naming the span that is none, or that ends before it begins.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read")
    spans = []
    for span_text in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = (part.strip() for part in span_text.partition("-"))
        span = whole_number(first), whole_number(last if dash else first)
        if span[1] < span[0]:
            raise ValueError(f"{span_text} ends before it begins")
        spans.append(span)
    return spans


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that meet or overlap as one."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = whole[-1][0], max(last, whole[-1][1])
        else:
            whole.append((first, last))
    return whole


def numbers_of(
    spans: list[tuple[int, int]], *, most: int, complaint: Callable[[int], Exception]
) -> list[int]:
    """Return the numbers of spans in the order that they are written.

    Parameters
    ----------
    most : int
        Numbers; where there are more, what `complaint` returns for their count is raised before
        any is made.
    """
    n_numbers = sum(last - first + 1 for first, last in spans)
    if n_numbers > most:
        raise complaint(n_numbers)
    return [number for first, last in spans for number in range(first, last + 1)]


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `SettingsError` if a setting is not within bounds, or not a number at all."""
    if not low <= value <= high:
        raise SettingsError(
            f"{name} must be {low:,} or more and {high:,} or less, got {shown(value)}.",
            hint=f"Choose {name} within these bounds.",
        )


def check_most(name: str, value: float, most: float) -> None:
    """Raise `SettingsError` if a setting's magnitude is above `most`, or is no number at all."""
    if not abs(value) <= most:
        raise SettingsError(
            f"{name} is {shown(value)}; it goes to {most:,}.", hint=f"Choose another {name}."
        )


def shown(value: float) -> str:
    """Return a number for a message, however many digits it has."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return f"about 10^{math.log10(abs(value)):.0f}" if value > 0 else "a huge negative one"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def reals_in(text: str, *, most: int) -> tuple[float, ...]:
    """Return the numbers of a list with commas between, at most so many.

    Raises
    ------
    ValueError
        If one is no finite number, or there are too many.
    """
    pieces = [piece.strip() for piece in text.split(",", maxsplit=most)]
    if len(pieces) > most:
        raise ValueError(f"it holds over {most} numbers")
    values = tuple(float(piece) for piece in pieces if piece)
    if not all(map(math.isfinite, values)):
        raise ValueError("it holds what is no finite number")
    return values
