"""What a chapter is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

#: Of every chapter, in order: name in the URL → title.
STEPS: Mapping[str, str] = MappingProxyType({"predict": "Predict", "do": "Do", "check": "Check"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A choice; `why` says what is right about it, or what is wrong with it."""

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
        return next((each for each in self.answers if each.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was measured, in a sentence, and which of the predicted answers that supports."""

    sentence: str
    supports: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A few minutes: a reading, a prediction, something to do on live data, a check.

    Parameters
    ----------
    slug : str
        Its name in the URL.
    idea : str
        The one sentence to take home.
    reading, task, limits : str
        Markdown: before the prediction, what to do, and where the analogy holds or fails.
    predict, check : Question
        Before seeing, whose answer is measured; and after.
    terms : tuple of str
        Keys of `glossary.TERMS`.
    sources : tuple of str
        What the facts are from.
    pages : tuple of (path, label)
        Where in the app this goes on; those that there are not yet are left out.
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
