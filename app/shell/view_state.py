"""The view of a person: the one reader and writer of session state and of the URL.

A frozen `ViewState` is mirrored in the URL, so that a link or a reload opens the same view.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st

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
from app.shell.jobs.job import Failure
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision

T = TypeVar("T")

_VIEW = "view"
_WRITTEN = "view written to the URL"
_ECHOES = "views that were written to the URL a moment ago"
_HISTORY = "history of dropped networks"
_TAKEN = "jobs whose result is in the view"
_PINS = "history of pinned units"
_LOG = "decisions on networks"
_MATCHED = "atlases whose earlier results are matched by maps"
_NOTICES = "notices for the next page"
_TOLD = "what this run of the page has told"
_REFUSAL = "what was refused, for the next page"
_MAX_HISTORY = 100
_ECHO_S, _MOST_ECHOES = 2.0, 16  # a browser's next request may still bear the URL of before
#: Where what a field of the view names is kept; open to more than one kind.
_KINDS = {
    "plan": ("plans",),
    "other": ("decompositions", "recordings"),
    "generation": ("generations",),
    "study": ("lesions",),
    "writing": ("lesion_texts",),
}
#: How a set came about that was not chosen in this session.
LINK = "from a link"
BY_HAND = "by hand"

DEFAULT_Z = 3.0
#: Key of whether the dialog of search and lists is open in this session.
SEARCH_IS_OPEN = "search is open"
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


def link(page: str, **fields: Any) -> str:
    """Return the address of a page, relative to those of the app, that opens a part of the view.

    Parameters
    ----------
    page : str
        Its name in the URL.
    **fields : Any
        Of the view, beside model, recording and atlas; what is at its default stays out.
    """
    seen = view()
    linked = ViewState(model=seen.model, recording=seen.recording, atlas=seen.atlas, **fields)
    return f"{page}?{urlencode(encode(linked))}"


def view() -> ViewState:
    """Return the present view."""
    stored: ViewState = st.session_state.setdefault(_VIEW, ViewState())
    return stored


def change(**fields: Any) -> None:
    """Change the view, and with it the URL; allowed in callbacks and in pages."""
    _set_view(replace(view(), **fields))


def page_options(kind: type[T]) -> T:
    """Return a page's own options, a dataclass with codecs, as `show` holds them."""
    return codec.decode_words(kind, view().show)


def change_options(kind: type[Any], **fields: Any) -> None:
    """Change a page's own options, and with them the URL; `show` stays where none changes."""
    present = page_options(kind)
    changed = replace(present, **fields)
    if changed != present:
        change(show=codec.encode_words(changed))


def synchronise() -> None:
    """Take the URL's view if a link was followed, else write the session's; once a run.

    Moving to another page clears the URL's parameters: then the session's view is kept.
    """
    st.session_state[_TOLD] = {}
    parameter_names = codec.names(ViewState)
    url_parameters = {
        name: value for name, value in st.query_params.items() if name in parameter_names
    }
    is_first = _VIEW not in st.session_state
    is_other = url_parameters and url_parameters != st.session_state.get(_WRITTEN)
    if is_first or (is_other and not _is_echo(url_parameters)):
        _follow_link(decode(url_parameters))
    else:
        _set_view(view())


def _is_echo(parameters: Mapping[str, str]) -> bool:
    """Whether a URL is one that the browser had just before: it asked before it got the new one."""
    now = time.monotonic()
    echoes: list[tuple[float, dict[str, str]]] = st.session_state.get(_ECHOES, [])
    return any(now - left < _ECHO_S and parameters == echo for left, echo in echoes)


def _follow_link(link: ViewState) -> None:
    """Take a link's view; its set of networks is one step, with nothing before it elsewhere."""
    previous = view()
    if previous.atlas != link.atlas:
        previous = ViewState(atlas=link.atlas)
        st.session_state[_HISTORY] = []
        st.session_state[_LOG] = ()
    elif link.dropped != previous.dropped:
        _history().append((previous.dropped, previous.rule))
    _set_view(link)
    _log_change(previous.dropped, link.dropped, what=linked(link.rule))


def linked(rule: str) -> str:
    """Return how a link's networks came about: by a rule that it names, or from the link."""
    return f"{rule}, {LINK}" if rule and not rule.endswith(LINK) else rule or LINK


def _set_view(new: ViewState) -> None:
    st.session_state[_VIEW] = new
    parameters = encode(new)
    written = st.session_state.get(_WRITTEN, parameters)
    if written != parameters:
        echoes = st.session_state.get(_ECHOES, [])
        st.session_state[_ECHOES] = [*echoes, (time.monotonic(), written)][-_MOST_ECHOES:]
    if dict(st.query_params) != parameters:
        st.query_params.from_dict(parameters)
    st.session_state[_WRITTEN] = parameters


def drop(networks: Iterable[int], *, why: str = BY_HAND, reason: str = "") -> None:
    """Set the networks that are not preserved: one step, logged, and remembered for undo.

    Parameters
    ----------
    why : str
        How it came about: by hand, or the sentence of a rule.
    reason : str
        In the person's own words.
    """
    new = tuple(sorted(set(networks)))
    if new == view().dropped:
        return
    _history().append((view().dropped, view().rule))
    _log_change(view().dropped, new, what=why, reason=reason)
    change(dropped=new, rule=_rule_after(why) if new else "")


def _rule_after(why: str) -> str:
    """Return how a set came about, in a sentence: by hand after a rule is both."""
    if why != BY_HAND:
        return why
    rule = view().rule
    return rule if not rule or rule.endswith(BY_HAND) else f"{rule}, then {BY_HAND}"


def undo() -> None:
    """Go back to the networks dropped before the last change."""
    if _history():
        previous_dropped, rule = _history().pop()
        _log_change(view().dropped, previous_dropped, what=decision_log.UNDO)
        change(dropped=previous_dropped, rule=rule)


def can_undo() -> bool:
    """Whether there is a change to undo."""
    return bool(_history())


def _history() -> list[tuple[tuple[int, ...], str]]:
    history: list[tuple[tuple[int, ...], str]] = st.session_state.setdefault(_HISTORY, [])
    del history[:-_MAX_HISTORY]
    return history


def pin(stay: Iterable[int], go: Iterable[int]) -> None:
    """Set the units that are pinned to stay and to go; remembered for undo."""
    new_pins = tuple(sorted(set(stay))), tuple(sorted(set(go)))
    present_pins = view().stay, view().go
    if new_pins != present_pins:
        pinned: list[tuple[tuple[int, ...], ...]] = st.session_state.setdefault(_PINS, [])
        pinned.append(present_pins)
        del pinned[:-_MAX_HISTORY]
        change(stay=new_pins[0], go=new_pins[1])


def undo_pin() -> None:
    """Go back to the units pinned before the last change."""
    if can_undo_pin():
        stay, go = st.session_state[_PINS].pop()
        change(stay=stay, go=go)


def can_undo_pin() -> bool:
    """Whether there is a change of pinned units to undo."""
    return bool(st.session_state.get(_PINS))


def write_reason(network: int, reason: str) -> None:
    """Log the reason of a network's state; raises `TextError` if it is no text to keep."""
    decision = Decision(time=decision_log.now(), what="reason", noted=(network,), reason=reason)
    take_decisions((*decisions(), decision))


def decisions() -> tuple[Decision, ...]:
    """Return the log of steps that led to the present set of networks, oldest first."""
    log: tuple[Decision, ...] = st.session_state.get(_LOG, ())
    return log


def take_decisions(log: Iterable[Decision]) -> None:
    """Set the log, as when the one of a plan is opened."""
    st.session_state[_LOG] = tuple(log)[-decision_log.MAX_DECISIONS :]


def _log_change(
    before: Iterable[int], after: Iterable[int], *, what: str, reason: str = ""
) -> None:
    decision = decision_log.decision(before, after, what=what, reason=reason)
    if decision.changes:
        take_decisions((*decisions(), decision))


def open_atlas(atlas: str, *, recording: str) -> None:
    """Select another atlas: its recording comes along, plan and choices start anew."""
    change(
        recording=recording, atlas=atlas, plan="", network=0, dropped=(), stay=(), go=(),
        beside=(), peaks=(), unit=-1, session=-1, token=-1, other="", study="", column=-1,
        writing="", rule="",
    )  # fmt: skip
    st.session_state[_PINS] = []
    st.session_state[_HISTORY] = []
    st.session_state[_LOG] = ()


def open_recording(recording: str) -> None:
    """Select another recording; the atlas and plan of the one before are left."""
    if recording != view().recording:
        open_atlas("", recording=recording)


def match_results(atlas: str) -> None:
    """Let results of an atlas that numbered its networks otherwise be shown as numbered here."""
    st.session_state.setdefault(_MATCHED, set()).add(atlas)


def are_results_matched(atlas: str) -> bool:
    """Whether earlier results of an atlas are to be matched by maps, as this person chose."""
    return atlas in st.session_state.get(_MATCHED, ())


def take_once(job: str, number: int) -> bool:
    """Whether this session has not yet taken the result of a job's run; true once."""
    taken_runs: set[tuple[str, int]] = st.session_state.setdefault(_TAKEN, set())
    if (job, number) in taken_runs:
        return False
    taken_runs.add((job, number))
    return True


def times_told(text: str) -> int:
    """Return how often this run of the page has told so before; counts this time, too."""
    told: dict[str, int] = st.session_state.setdefault(_TOLD, {})
    told[text] = told.get(text, 0) + 1
    return told[text] - 1


def deselect(is_there: Callable[[str, str], bool]) -> None:
    """Take away from the view what is not in the workspace any more.

    Parameters
    ----------
    is_there : callable
        Whether there is an artifact of a kind and id.
    """
    seen = view()
    if seen.recording and not is_there("recordings", seen.recording):
        open_atlas("", recording="")
    elif seen.atlas and not is_there("decompositions", seen.atlas):
        open_atlas("", recording=seen.recording)
    seen = view()
    gone = {
        name: ""
        for name, kinds in _KINDS.items()
        if (id := getattr(seen, name)) and not any(is_there(kind, id) for kind in kinds)
    }
    change(**gone, plans=tuple(id for id in seen.plans if is_there("plans", id)))


def notify(text: str) -> None:
    """Store a short notice for the next run."""
    st.session_state.setdefault(_NOTICES, []).append(text)


def notices() -> list[str]:
    """Return the notices that wait, and forget them."""
    waiting: list[str] = st.session_state.pop(_NOTICES, [])
    return waiting


def refuse(failure: Failure) -> None:
    """Store why something was not started, for the next run."""
    st.session_state[_REFUSAL] = failure


def refusal() -> Failure | None:
    """Return why something was not started, once."""
    refused: Failure | None = st.session_state.pop(_REFUSAL, None)
    return refused


def widget(name: str) -> Any:
    """Return the value of the widget with key `name`, or None."""
    return st.session_state.get(name)


def component_value(component: str, event: str) -> Any:
    """Return the value that a component sent, or None: it may have left the page since."""
    return getattr(st.session_state.get(component), event, None)


def remember(name: str, value: Any) -> None:
    """Store a value for one later `recall`."""
    st.session_state[name] = value


def forget(name: str) -> None:
    """Set the widget with key `name` back to its default."""
    st.session_state.pop(name, None)


def recall(name: str) -> Any:
    """Return a remembered value, once."""
    return st.session_state.pop(name, None)
