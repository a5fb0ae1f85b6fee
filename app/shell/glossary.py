"""Both words for each concept, neuroscience's and ours: one table, shown and used for tooltips."""

import tomllib
from dataclasses import dataclass

from fnprune_core.assets import asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A concept.

    Parameters
    ----------
    key : str
        What pages ask for.
    brain, here : str
        The word in neuroimaging, and in a language model or this app.
    says : str
        What it is here.
    breaks : str
        Where the likeness ends; empty where it does not.
    """

    key: str
    brain: str
    here: str
    says: str
    breaks: str = ""


def _read() -> dict[str, Term]:
    rows = tomllib.loads(asset("glossary.toml").read_text(encoding="utf-8"))
    return {key: Term(key=key, **row) for key, row in rows.items()}


TERMS = _read()


def tip(key: str) -> str:
    """Return the tooltip of a concept, as Markdown: both words, the meaning, where it breaks."""
    row = TERMS[key]
    words = f"**{row.here}**"
    if row.brain != row.here:
        words += f" · in neuroimaging: **{row.brain}**"
    return "  \n".join(paragraph for paragraph in (words, row.says, row.breaks) if paragraph)


def both(key: str) -> str:
    """Return the two words of a concept in short, or the one that both fields use."""

    def short(words: str) -> str:
        return words.split(",")[0].split(" (")[0]

    row = TERMS[key]
    words = [short(phrase) for phrase in (row.brain, row.here) if not phrase.startswith("(")]
    return " · ".join(dict.fromkeys(words))


def matching_terms(words: str) -> list[Term]:
    """Return the concepts in which all words occur, in the order of the table."""
    searched = words.lower().split()
    return [
        row
        for row in TERMS.values()
        if all(w in f"{row.brain} {row.here} {row.says} {row.breaks}".lower() for w in searched)
    ]
