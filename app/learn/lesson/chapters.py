"""The chapters in order."""

from app.learn.lesson.experiments import LESIONS, LIMITS, LOCALIZERS, PRUNING
from app.learn.lesson.kinds import Chapter
from app.learn.lesson.networks import ATLAS, DECODING, ICA, MAP
from app.learn.lesson.signals import SIGNAL, TIME, UNITS

CHAPTERS: tuple[Chapter, ...] = (
    SIGNAL,
    UNITS,
    ICA,
    MAP,
    TIME,
    ATLAS,
    DECODING,
    LOCALIZERS,
    LESIONS,
    PRUNING,
    LIMITS,
)


def chapter(slug: str) -> Chapter | None:
    """Return the chapter of this name, or None."""
    return next((each for each in CHAPTERS if each.slug == slug), None)


def neighbours(slug: str) -> tuple[Chapter | None, Chapter | None]:
    """Return the chapters before and after one, None at the ends."""
    place = [each.slug for each in CHAPTERS].index(slug)
    before = CHAPTERS[place - 1] if place else None
    return before, CHAPTERS[place + 1] if place + 1 < len(CHAPTERS) else None
