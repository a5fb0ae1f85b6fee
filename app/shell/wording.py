"""Texts for people: numbers with their units, and text of unknown origin made harmless."""

from fnprune_core.foreign_text import unlinked

_SPECIAL = frozenset("\\`*_{}[]()#+-.!|<>$~:&=")


def plain(text: str) -> str:
    """Return text of unknown origin for a place that reads Markdown: shown, never read."""
    return "".join("\\" + c if c in _SPECIAL else c for c in unlinked(text))


def sentence(text: str) -> str:
    """Return a message for a place that reads Markdown: plain, but for its `code`."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return plain(text)
    return "`".join(piece if i % 2 else plain(piece) for i, piece in enumerate(pieces))


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration as a person would say it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def size(n_bytes: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes:.0f} bytes"
