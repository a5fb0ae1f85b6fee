"""Words that lists of tokens show only on request: insults, slurs, crimes against people."""

import re
import tomllib
from functools import cache

from fnprune_core.assets import asset

_WORD = re.compile(r"[^\W\d_]+")


@cache
def _forms() -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the stems, and the words that count only whole."""
    listed = tomllib.loads(asset("words/spared.toml").read_text(encoding="utf-8"))
    return tuple(listed["stems"]), frozenset(listed["words"])


def is_spared(text: str) -> bool:
    """Whether a text holds a word that is shown only on request, whatever its case."""
    stems, words = _forms()
    return any(word in words or word.startswith(stems) for word in _WORD.findall(text.casefold()))
