"""Fields of a person's view, and how a link bears them. No session here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from app.shell import codec
from app.shell.codec import (
    COLUMN,
    FILLED_TEXT,
    IDENTITY,
    INDEX,
    PEAKS,
    SENTENCE,
    TEXT,
    WORD,
    Peak,
    identities,
    one_of,
    parameter,
    ranges,
    real,
)

DEFAULT_Z = 3.0
Z_RANGE = (1.0, 8.0)
MAP_VIEWS = ("body", "layers")
MAX_PLANS = 8
MOST_NETWORKS = 4096
MAX_UNIT = 999_999  # of those that a link pins
MOST_PINNED = 100_000  # more stay out of the view: a layer of the largest models has half of it


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What is open, by its id in the workspace; empty where nothing is.

    Parameters
    ----------
    model : str
        Source of the model: ``"embedded"``, an id, a folder or a GGUF file.
    recording, atlas, plan : str
    other : str
        The atlas or recording that this one is compared with.
    plans : tuple of str
        Plans that are compared, at most `MAX_PLANS`.
    job : str
        The job that was started last.
    """

    model: str = parameter(FILLED_TEXT, "embedded")
    recording: str = parameter(IDENTITY, "")
    atlas: str = parameter(IDENTITY, "")
    plan: str = parameter(IDENTITY, "")
    other: str = parameter(IDENTITY, "")
    plans: tuple[str, ...] = parameter(identities(MAX_PLANS), ())
    job: str = parameter(IDENTITY, "")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in an atlas a person is.

    Parameters
    ----------
    network : int
        The selected network.
    beside : tuple of int
        Networks that are drawn together with the selected one.
    peaks : tuple of (int, int, int)
        Of each network that is named here its number, its peak unit and the sign there, by which
        the numbers are checked where a link is opened.
    unit : int
        The selected unit, as a flat index; −1 where none is.
    session, token : int
        The selected session and position in it; −1 where none is.
    """

    network: int = parameter(INDEX, 0)
    beside: tuple[int, ...] = parameter(ranges(MOST_NETWORKS), ())
    peaks: tuple[Peak, ...] = parameter(PEAKS, ())
    unit: int = parameter(INDEX, -1)
    session: int = parameter(INDEX, -1)
    token: int = parameter(INDEX, -1)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which networks go.

    Parameters
    ----------
    dropped : tuple of int
        Networks that the next plan does not preserve.
    rule : str
        How they were chosen.
    """

    dropped: tuple[int, ...] = parameter(ranges(MOST_NETWORKS), (), name="drop")
    rule: str = parameter(SENTENCE, "")


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Single units that the next plan keeps, or removes, whatever their score.

    Parameters
    ----------
    stay, go : tuple of int
        Flat indices; out of the URL where their ranges are longer than `codec.MAX_TEXT`.
    """

    stay: tuple[int, ...] = parameter(ranges(MAX_UNIT, is_bounded=True), ())
    go: tuple[int, ...] = parameter(ranges(MAX_UNIT, is_bounded=True), ())


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts that are typed or were written; those longer than `codec.MAX_TEXT` stay out of the URL.

    Parameters
    ----------
    text : str
        The text in the probe.
    prompt : str
        What models are to go on from.
    generation, writing : str
        Artifact ids of what a plan wrote, and what was written under a lesion.
    """

    text: str = parameter(TEXT, "")
    prompt: str = parameter(TEXT, "")
    generation: str = parameter(IDENTITY, "")
    writing: str = parameter(IDENTITY, "")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The experiment that is looked at.

    Parameters
    ----------
    study : str
        Artifact id of the study of lesions.
    column : int
        The selected column of its matrix; −1 where none is.
    localizer : str
        Name of a ready localizer, or artifact id of what one of a person's own has found.
    """

    study: str = parameter(IDENTITY, "")
    column: int = parameter(INDEX, -1)
    localizer: str = parameter(WORD, "")


@dataclass(frozen=True, kw_only=True)
class ViewState(Opened, Place, Choice, Pins, Texts, Experiment):
    """One selected network, recording and plan are shown on all pages.

    Parameters
    ----------
    z : float
        Threshold on maps.
    map : str
        How a map is drawn, one of `MAP_VIEWS`.
    sort : str
        The statistic that orders the gallery; a minus before it: largest first.
    show : str
        Which picture of several a page shows; empty for its first.
    part : str
        Which part of a page is open, where `show` tells something else.
    form : str
        The form of a plan, in words that the section on pruning writes and reads.
    chapter, step : str
        Of the lesson.
    """

    z: float = parameter(real(*Z_RANGE), DEFAULT_Z)
    map: str = parameter(one_of(MAP_VIEWS), MAP_VIEWS[0])
    sort: str = parameter(COLUMN, "network")
    show: str = parameter(WORD, "")
    part: str = parameter(WORD, "")
    form: str = parameter(WORD, "")
    chapter: str = parameter(WORD, "")
    step: str = parameter(WORD, "")


Part = TypeVar("Part", Place, Choice, Pins)


def part_of(view: ViewState, kind: type[Part]) -> Part:
    """Return a part of a view."""
    return kind(**{each.name: getattr(view, each.name) for each in fields(kind)})


def encode(view: ViewState) -> dict[str, str]:
    """Return the URL's parameters; what is at its default stays out."""
    return codec.encode(view)


def decode(parameters: Mapping[str, str]) -> ViewState:
    """Return the view of a URL; a value that makes no sense falls back to its default."""
    decoded = codec.decode(ViewState, parameters)
    staying = set(decoded.stay)  # a unit that a link pins to both stays
    go = tuple(unit for unit in decoded.go if unit not in staying)
    return replace(decoded, stay=_bounded(decoded.stay), go=_bounded(go))


def _bounded(units: tuple[int, ...]) -> tuple[int, ...]:
    return units if len(units) <= MOST_PINNED else ()
