"""Progress of this session in the lesson: predictions, answers, and activities."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.learn.lesson import CHAPTERS, STEPS, Chapter
from app.shell import session_state, view_state

_PROGRESS = "progress in the lesson"
#: In the URL of a teacher's link: steps open without a prediction.
OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Predictions and answers, by the chapter's name."""

    predictions: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)


def progress() -> Progress:
    """Return the progress of this session."""
    stored: Progress = session_state.widget(_PROGRESS) or Progress()
    return stored


def predict(slug: str, key: str) -> None:
    """Keep a prediction; it stands once it is made."""
    present = progress()
    if slug not in present.predictions:
        new = {**present.predictions, slug: key}
        session_state.remember(_PROGRESS, replace(present, predictions=new))


def answer(slug: str, key: str) -> None:
    """Keep the answer to the last question; another one may be tried."""
    present = progress()
    session_state.remember(_PROGRESS, replace(present, answers={**present.answers, slug: key}))


def restart(slug: str) -> None:
    """Forget the prediction and the answer of a chapter."""
    present = progress()
    predictions = {name: key for name, key in present.predictions.items() if name != slug}
    answers = {name: key for name, key in present.answers.items() if name != slug}
    session_state.remember(_PROGRESS, Progress(predictions=predictions, answers=answers))


def is_done(chapter: Chapter) -> bool:
    """Whether the last question was answered rightly."""
    return progress().answers.get(chapter.slug) == chapter.check.right


def n_done() -> int:
    """Return how many chapters are done."""
    return sum(map(is_done, CHAPTERS))


def next_chapter() -> Chapter:
    """Return the first chapter that is not done, or the first of all."""
    return next((chapter for chapter in CHAPTERS if not is_done(chapter)), CHAPTERS[0])


def step() -> str:
    """Return the step that the view asks for."""
    viewed_step = view_state.view().step
    return viewed_step if viewed_step in STEPS else "predict"


def is_open(chapter: Chapter) -> bool:
    """Whether the chapter's later steps may be seen: predicted, or by a teacher's link."""
    return chapter.slug in progress().predictions or view_state.view().show == OPEN


def go(slug: str, step: str = "predict") -> None:
    """Open a step of a chapter; without a chapter, the table of contents."""
    view_state.change(
        chapter=slug, step=step, show="" if step == "predict" else view_state.view().show
    )
