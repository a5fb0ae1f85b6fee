"""Fields of a person's view, and how a link bears them. No session here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """One selected network, recording and plan are shown on all pages.

    Parameters
    ----------
    model : str
        Source of the model: ``"embedded"``, an id, a folder or a GGUF file.
    recording, atlas, plan : str
        Artifact ids in the workspace; empty where nothing is chosen.
    job : str
        The job that was started last.
    network : int
        The selected network.
    z : float
        Threshold on maps.
    map : str
        How the map is drawn, one of `MAP_VIEWS`.
    dropped : tuple of int
        Networks that the next plan does not preserve.
    beside : tuple of int
        Networks that are drawn together with the selected one.
    peaks : tuple of (int, int, int)
        Of each network that is named here its number, its peak unit and the sign there, by which
        the numbers are checked where a link is opened.
    unit : int
        The selected unit, as a flat index; −1 where none is.
    session, token : int
        The selected session and position in it; −1 where none is.
    show : str
        Which picture of several a page shows; empty for its first.
    other : str
        The atlas or recording that this one is compared with.
    sort : str
        The statistic that orders the gallery; a minus before it: largest first.
    stay, go : tuple of int
        Single units, as flat indices, that the next plan keeps, or removes, whatever their score;
        out of the URL where their ranges are longer than `codec.MAX_TEXT`.
    text : str
        The text in the probe; a longer one than `codec.MAX_TEXT` stays out of the URL.
    prompt : str
        What models are to go on from, likewise.
    generation : str
        Artifact id of what was written.
    plans : tuple of str
        Artifact ids of the plans that are compared, at most `MAX_PLANS`.
    study : str
        Artifact id of the study that is looked at.
    column : int
        The selected column of a matrix; −1 where none is.
    localizer : str
        Name of a ready localizer, or artifact id of what one of a person's own has found.
    part : str
        Which part of a page is open, where `show` tells something else.
    writing : str
        Artifact id of what was written under a lesion.
    chapter, step : str
        Of the lesson.
    form : str
        The form of a plan, in words that the section on pruning writes and reads.
    rule : str
        How the networks that are not preserved were chosen.
    """

    model: str = parameter(FILLED_TEXT, "embedded")
    recording: str = parameter(IDENTITY, "")
    atlas: str = parameter(IDENTITY, "")
    plan: str = parameter(IDENTITY, "")
    job: str = parameter(IDENTITY, "")
    network: int = parameter(INDEX, 0)
    z: float = parameter(real(*Z_RANGE), DEFAULT_Z)
    map: str = parameter(one_of(MAP_VIEWS), MAP_VIEWS[0])
    dropped: tuple[int, ...] = parameter(ranges(MOST_NETWORKS), (), name="drop")
    beside: tuple[int, ...] = parameter(ranges(MOST_NETWORKS), ())
    peaks: tuple[Peak, ...] = parameter(PEAKS, ())
    unit: int = parameter(INDEX, -1)
    session: int = parameter(INDEX, -1)
    token: int = parameter(INDEX, -1)
    show: str = parameter(WORD, "")
    other: str = parameter(IDENTITY, "")
    sort: str = parameter(COLUMN, "network")
    stay: tuple[int, ...] = parameter(ranges(MAX_UNIT, is_bounded=True), ())
    go: tuple[int, ...] = parameter(ranges(MAX_UNIT, is_bounded=True), ())
    text: str = parameter(TEXT, "")
    prompt: str = parameter(TEXT, "")
    generation: str = parameter(IDENTITY, "")
    plans: tuple[str, ...] = parameter(identities(MAX_PLANS), ())
    study: str = parameter(IDENTITY, "")
    column: int = parameter(INDEX, -1)
    localizer: str = parameter(WORD, "")
    part: str = parameter(WORD, "")
    writing: str = parameter(IDENTITY, "")
    chapter: str = parameter(WORD, "")
    step: str = parameter(WORD, "")
    form: str = parameter(WORD, "")
    rule: str = parameter(SENTENCE, "")


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
