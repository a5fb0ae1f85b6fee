"""What a person is looking at: the one reader and writer of session state and of the URL.

A frozen `ViewState` is mirrored in the URL, so that a link or a reload opens the same view.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import Decision

_VIEW = "view"
_WRITTEN = "view written to the URL"
_HISTORY = "history of dropped networks"
_TAKEN = "jobs whose result is in the view"
_PINS = "history of pinned units"
_LOG = "decisions on networks"
_NOTICES = "notices for the next page"
_MAX_HISTORY = 100
#: How a set came about that was not chosen in this session.
LINK = "from a link"
BY_HAND = "by hand"

DEFAULT_Z = 3.0
Z_RANGE = (1.0, 8.0)
MAP_VIEWS = ("slices", "sides", "3d", "layers")
MAX_TEXT = 600
MAX_PLANS = 8
MAX_UNIT = 999_999  # of those that a link pins


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """One selected network, recording and plan drive all pages.

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
        Networks that are drawn together with the selected one, in 3-D.
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
        out of the URL where their ranges are longer than `MAX_TEXT`.
    text : str
        The text in the probe; a longer one than `MAX_TEXT` stays out of the URL.
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
    """

    model: str = "embedded"
    recording: str = ""
    atlas: str = ""
    plan: str = ""
    job: str = ""
    network: int = 0
    z: float = DEFAULT_Z
    map: str = "slices"
    dropped: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()
    unit: int = -1
    session: int = -1
    token: int = -1
    show: str = ""
    other: str = ""
    sort: str = "network"
    stay: tuple[int, ...] = ()
    go: tuple[int, ...] = ()
    text: str = ""
    prompt: str = ""
    generation: str = ""
    plans: tuple[str, ...] = ()
    study: str = ""
    column: int = -1
    localizer: str = ""
    part: str = ""
    writing: str = ""
    chapter: str = ""
    step: str = ""


def compact(numbers: Iterable[int]) -> str:
    """Return numbers as ranges: (0, 1, 2, 5) is ``"0-2.5"``."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def expand(text: str, *, largest: int = 4096) -> tuple[int, ...]:
    """Return the numbers of `compact`; what cannot be read is left out."""
    numbers: set[int] = set()
    for part in text.split("."):
        first, _, last = part.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            numbers.update(range(int(first), min(int(last or first), largest) + 1))
    return tuple(sorted(number for number in numbers if number <= largest))


def encode(view: ViewState) -> dict[str, str]:
    """Return the URL's parameters; what is at its default stays out."""
    plain = _texts(ViewState())
    return {name: text for name, text in _texts(view).items() if text != plain[name]}


def _texts(view: ViewState) -> dict[str, str]:
    return {
        "model": view.model,
        "recording": view.recording,
        "atlas": view.atlas,
        "plan": view.plan,
        "job": view.job,
        "network": str(view.network),
        "z": f"{view.z:g}",
        "map": view.map,
        "drop": compact(view.dropped),
        "beside": compact(view.beside),
        "unit": str(view.unit),
        "session": str(view.session),
        "token": str(view.token),
        "show": view.show,
        "other": view.other,
        "sort": view.sort,
        "stay": _short(compact(view.stay)),
        "go": _short(compact(view.go)),
        "text": _short(view.text),
        "prompt": _short(view.prompt),
        "generation": view.generation,
        "plans": ".".join(view.plans),
        "study": view.study,
        "column": str(view.column),
        "localizer": view.localizer,
        "part": view.part,
        "writing": view.writing,
        "chapter": view.chapter,
        "step": view.step,
    }


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else ""


def decode(parameters: Mapping[str, str]) -> ViewState:
    """Return the view of a URL; a value that makes no sense falls back to its default."""

    def identity(name: str) -> str:
        value = parameters.get(name, "")
        return value if value.isalnum() and value.isascii() else ""

    sort = parameters.get("sort", "")
    return ViewState(
        model=parameters.get("model", "") or "embedded",
        recording=identity("recording"),
        atlas=identity("atlas"),
        plan=identity("plan"),
        job=identity("job"),
        network=_index(parameters.get("network", ""), 0),
        z=_threshold(parameters.get("z", "")),
        map=parameters["map"] if parameters.get("map") in MAP_VIEWS else MAP_VIEWS[0],
        dropped=expand(parameters.get("drop", "")),
        beside=expand(parameters.get("beside", "")),
        unit=_index(parameters.get("unit", ""), -1),
        session=_index(parameters.get("session", ""), -1),
        token=_index(parameters.get("token", ""), -1),
        show=_word(parameters.get("show", "")),
        other=identity("other"),
        sort=sort if sort.removeprefix("-").isidentifier() and sort.isascii() else "network",
        stay=expand(parameters.get("stay", ""), largest=MAX_UNIT),
        go=_without(expand(parameters.get("go", ""), largest=MAX_UNIT), parameters.get("stay", "")),
        text=parameters.get("text", "")[:MAX_TEXT],
        prompt=parameters.get("prompt", "")[:MAX_TEXT],
        generation=identity("generation"),
        plans=_identities(parameters.get("plans", "")),
        study=identity("study"),
        column=_index(parameters.get("column", ""), -1),
        localizer=_word(parameters.get("localizer", "")),
        part=_word(parameters.get("part", "")),
        writing=identity("writing"),
        chapter=_word(parameters.get("chapter", "")),
        step=_word(parameters.get("step", "")),
    )


def _word(text: str) -> str:
    return text if text.replace("-", "").isalnum() and text.isascii() else ""


def _without(units: tuple[int, ...], stay: str) -> tuple[int, ...]:
    """Return the units that a link does not also pin to stay."""
    held = set(expand(stay, largest=MAX_UNIT))
    return tuple(unit for unit in units if unit not in held)


def _identities(text: str) -> tuple[str, ...]:
    found = (part for part in text.split(".") if part.isalnum() and part.isascii())
    return tuple(dict.fromkeys(found))[:MAX_PLANS]


def _index(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else default


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return DEFAULT_Z
    return min(max(value, Z_RANGE[0]), Z_RANGE[1]) if value == value else DEFAULT_Z


def view() -> ViewState:
    """Return the present view."""
    held: ViewState = st.session_state.setdefault(_VIEW, ViewState())
    return held


def change(**fields: Any) -> None:
    """Change the view, and with it the URL; allowed in callbacks and in pages."""
    _put(replace(view(), **fields))


def synchronise() -> None:
    """Take the URL's view if a link was followed, else write the session's; once a run.

    Moving to another page clears the URL's parameters: then the session's view is kept.
    """
    known = _texts(ViewState())
    found = {name: value for name, value in st.query_params.items() if name in known}
    is_first = _VIEW not in st.session_state
    if is_first or (found and found != st.session_state.get(_WRITTEN)):
        _follow(decode(found))
    else:
        _put(view())


def _follow(link: ViewState) -> None:
    """Take a link's view; its set of networks is one step, with nothing before it elsewhere."""
    held = view()
    if held.atlas != link.atlas:
        held = ViewState(atlas=link.atlas)
        st.session_state[_HISTORY] = []
        st.session_state[_LOG] = ()
    elif link.dropped != held.dropped:
        _history().append(held.dropped)
    _put(link)
    _log(held.dropped, link.dropped, what=LINK)


def _put(new: ViewState) -> None:
    st.session_state[_VIEW] = new
    parameters = encode(new)
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
    _history().append(view().dropped)
    _log(view().dropped, new, what=why, reason=reason)
    change(dropped=new)


def undo() -> None:
    """Go back to the networks dropped before the last change."""
    if _history():
        before = _history().pop()
        _log(view().dropped, before, what=decision_log.UNDO)
        change(dropped=before)


def can_undo() -> bool:
    """Whether there is a change to undo."""
    return bool(_history())


def _history() -> list[tuple[int, ...]]:
    held: list[tuple[int, ...]] = st.session_state.setdefault(_HISTORY, [])
    del held[:-_MAX_HISTORY]
    return held


def pin(stay: Iterable[int], go: Iterable[int]) -> None:
    """Set the units that are pinned to stay and to go; remembered for undo."""
    new = tuple(sorted(set(stay))), tuple(sorted(set(go)))
    held = view().stay, view().go
    if new != held:
        pinned: list[tuple[tuple[int, ...], ...]] = st.session_state.setdefault(_PINS, [])
        pinned.append(held)
        del pinned[:-_MAX_HISTORY]
        change(stay=new[0], go=new[1])


def undo_pin() -> None:
    """Go back to the units pinned before the last change."""
    if can_undo_pin():
        stay, go = st.session_state[_PINS].pop()
        change(stay=stay, go=go)


def can_undo_pin() -> bool:
    """Whether there is a change of pinned units to undo."""
    return bool(st.session_state.get(_PINS))


def say(network: int, reason: str) -> None:
    """Write down why a network is as it is; raises `TextError` if that is no text to keep."""
    step = Decision(time=decision_log.now(), what="reason", noted=(network,), reason=reason)
    take_decisions((*decisions(), step))


def decisions() -> tuple[Decision, ...]:
    """Return every step on the way to the present set of networks, oldest first."""
    log: tuple[Decision, ...] = st.session_state.get(_LOG, ())
    return log


def take_decisions(log: Iterable[Decision]) -> None:
    """Set the log, as when the one of a plan is opened."""
    st.session_state[_LOG] = tuple(log)[-decision_log.MAX_DECISIONS :]


def _log(before: Iterable[int], after: Iterable[int], *, what: str, reason: str = "") -> None:
    step = decision_log.decision(before, after, what=what, reason=reason)
    if step.changes:
        take_decisions((*decisions(), step))


def open_atlas(atlas: str, *, recording: str) -> None:
    """Look at another atlas: its recording comes along, plan and choices start anew."""
    change(
        recording=recording, atlas=atlas, plan="", network=0, dropped=(), stay=(), go=(),
        beside=(), unit=-1, session=-1, token=-1, other="", study="", column=-1,
        writing="",
    )  # fmt: skip
    st.session_state[_PINS] = []
    st.session_state[_HISTORY] = []
    st.session_state[_LOG] = ()


def open_recording(recording: str) -> None:
    """Look at another recording; the atlas and plan of the one before are left."""
    if recording != view().recording:
        open_atlas("", recording=recording)


def take_once(job: str, number: int) -> bool:
    """Whether this session has not yet taken the result of a job's run; true once."""
    taken: set[tuple[str, int]] = st.session_state.setdefault(_TAKEN, set())
    if (job, number) in taken:
        return False
    taken.add((job, number))
    return True


def notify(text: str) -> None:
    """Keep a short notice for the next run."""
    st.session_state.setdefault(_NOTICES, []).append(text)


def notices() -> list[str]:
    """Return the notices that wait, and forget them."""
    waiting: list[str] = st.session_state.pop(_NOTICES, [])
    return waiting


def widget(name: str) -> Any:
    """Return the value of the widget with key `name`, or None."""
    return st.session_state.get(name)


def told(component: str, event: str) -> Any:
    """Return what a component told, or None: its answer may come after it has left the page."""
    return getattr(st.session_state.get(component), event, None)


def remember(name: str, value: Any) -> None:
    """Keep a value for one later `recall`."""
    st.session_state[name] = value


def forget(name: str) -> None:
    """Set the widget with key `name` back to its default."""
    st.session_state.pop(name, None)


def recall(name: str) -> Any:
    """Return a remembered value, once."""
    return st.session_state.pop(name, None)
