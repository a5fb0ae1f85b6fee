"""The lesson as data, read from `assets/lesson`: chapters, a plan for a class, and short texts."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fnprune_core.assets import asset
from fnprune_core.texts.documents import Document

#: Of every chapter, in order: name in the URL → title.
STEPS: Mapping[str, str] = MappingProxyType({"predict": "Predict", "do": "Do", "check": "Check"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to choose; `why` explains what is right or wrong about it."""

    key: str
    text: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with one right answer."""

    prompt: str
    answers: tuple[Answer, ...]
    right: str

    def answer(self, key: str | None) -> Answer | None:
        """Return the answer with this key, or None."""
        return next((answer for answer in self.answers if answer.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A sentence on a measurement, and the predicted answer that it supports."""

    sentence: str
    supports: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A few minutes: a reading, a prediction, something to do on live data, a check.

    Parameters
    ----------
    slug : str
        Its name in the URL, and of its file.
    idea : str
        The one sentence to take home.
    reading, task, limits : str
        Markdown: before the prediction, what to do, and where the analogy holds or fails.
    predict, check : Question
        Before seeing, whose answer is measured; and after.
    terms : tuple of str
        Keys of `glossary.TERMS`.
    sources : tuple of str
        References in words.
    pages : tuple of (str, str)
        Where in the app this goes on: a page's URL, and the label of the link.
    needs : str
        ``"atlas"``, ``"model"`` (and atlas), or nothing.
    minutes : int
        In class.
    teach : str
        What an instructor may say or ask.
    """

    slug: str
    title: str
    icon: str
    idea: str
    reading: str
    predict: Question
    task: str
    check: Question
    limits: str
    terms: tuple[str, ...]
    sources: tuple[str, ...]
    pages: tuple[tuple[str, str], ...]
    needs: str
    minutes: int
    teach: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPart:
    """A part of a class.

    Parameters
    ----------
    chapter : str
        Its name; empty for what is no chapter.
    how : str
        What teacher and class do.
    """

    minutes: int
    title: str
    chapter: str
    how: str


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(asset(f"lesson/{name}.toml").read_text(encoding="utf-8"))


def _question(facts: Mapping[str, Any]) -> Question:
    answers = tuple(Answer(**answer) for answer in facts["answers"])
    return Question(prompt=facts["prompt"], right=facts["right"], answers=answers)


def _chapter(slug: str) -> Chapter:
    facts = _read(slug)
    fields: dict[str, Any] = {
        "predict": _question(facts["predict"]),
        "check": _question(facts["check"]),
        "terms": tuple(facts["terms"]),
        "sources": tuple(_SOURCES[key] for key in facts["sources"]),
        "pages": tuple((url, label) for url, label in facts["pages"]),
    }
    return Chapter(slug=slug, **{**facts, **fields})


_SOURCES: Mapping[str, str] = _read("sources")
_PLAN = _read("plan")
#: In the order of the lesson.
CHAPTERS: tuple[Chapter, ...] = tuple(_chapter(slug) for slug in _PLAN["chapters"])
#: A class of 50 minutes; chapters that are left out are homework.
PLAN: tuple[ClassPart, ...] = tuple(ClassPart(**part) for part in _PLAN["parts"])


def chapter(slug: str) -> Chapter | None:
    """Return the chapter of this name, or None."""
    return next((candidate for candidate in CHAPTERS if candidate.slug == slug), None)


def neighbours(slug: str) -> tuple[Chapter | None, Chapter | None]:
    """Return the chapters before and after one, None at the ends."""
    place = [candidate.slug for candidate in CHAPTERS].index(slug)
    previous = CHAPTERS[place - 1] if place else None
    return previous, CHAPTERS[place + 1] if place + 1 < len(CHAPTERS) else None


def documents() -> list[Document]:
    """Return the short texts of the lesson's lesions, one of each kind in the example."""
    return [
        Document(
            text=file.read_text(encoding="utf-8"), name=f"lesson, {file.stem}", domain=file.stem
        )
        for file in sorted(asset("lesson/texts").glob("*.txt"))
    ]
