"""How far this session is in the lesson: predictions, answers, and what was tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.learn.lesson import CHAPTERS, STEPS, Chapter
from app.shell import view_state

_PROGRESS = "progress in the lesson"
#: In the URL of a teacher's link: steps open without a prediction.
OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was answered, by the chapter's name."""

    predictions: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)


def progress() -> Progress:
    """Return how far this session is."""
    held: Progress = view_state.widget(_PROGRESS) or Progress()
    return held


def predict(slug: str, key: str) -> None:
    """Keep a prediction; it stands once it is made."""
    held = progress()
    if slug not in held.predictions:
        new = {**held.predictions, slug: key}
        view_state.remember(_PROGRESS, replace(held, predictions=new))


def answer(slug: str, key: str) -> None:
    """Keep the answer to the last question; another one may be tried."""
    held = progress()
    view_state.remember(_PROGRESS, replace(held, answers={**held.answers, slug: key}))


def restart(slug: str) -> None:
    """Forget what was answered in a chapter."""
    held = progress()
    predictions = {name: key for name, key in held.predictions.items() if name != slug}
    answers = {name: key for name, key in held.answers.items() if name != slug}
    view_state.remember(_PROGRESS, Progress(predictions=predictions, answers=answers))


def is_done(chapter: Chapter) -> bool:
    """Whether the last question was answered rightly."""
    return progress().answers.get(chapter.slug) == chapter.check.right


def n_done() -> int:
    """Return how many chapters are done."""
    return sum(map(is_done, CHAPTERS))


def next_chapter() -> Chapter:
    """Return the first chapter that is not done, or the first of all."""
    return next((each for each in CHAPTERS if not is_done(each)), CHAPTERS[0])


def step() -> str:
    """Return the step that the view asks for."""
    held = view_state.view().step
    return held if held in STEPS else "predict"


def is_open(chapter: Chapter) -> bool:
    """Whether the chapter's later steps may be seen: predicted, or by a teacher's link."""
    return chapter.slug in progress().predictions or view_state.view().show == OPEN


def go(slug: str, step: str = "predict") -> None:
    """Look at a step of a chapter; none is the table of contents."""
    view_state.change(
        chapter=slug, step=step, show="" if step == "predict" else view_state.view().show
    )
