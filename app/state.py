"""What a person is looking at: the one reader and writer of session state and of the URL.

A frozen `ViewState` is mirrored in the URL, so that a link or a reload opens the same view.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

_VIEW = "view"
_WRITTEN = "view written to the URL"
_HISTORY = "history of dropped networks"
_TAKEN = "jobs whose result is in the view"
_TABLE = "version of the toggle table"
_TABLE_BASE = "dropped networks that the toggle table starts from"
_NOTICES = "notices for the next page"
_MAX_HISTORY = 100

DEFAULT_Z = 3.0
Z_RANGE = (1.0, 8.0)
MAP_VIEWS = ("slices", "sides", "3d", "layers")
MAX_TEXT = 600


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
    text : str
        The text in the probe; a longer one than `MAX_TEXT` stays out of the URL.
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
    text: str = ""


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
        "text": view.text if len(view.text) <= MAX_TEXT else "",
    }


def decode(parameters: Mapping[str, str]) -> ViewState:
    """Return the view of a URL; a value that makes no sense falls back to its default."""

    def identity(name: str) -> str:
        value = parameters.get(name, "")
        return value if value.isalnum() and value.isascii() else ""

    show, sort = parameters.get("show", ""), parameters.get("sort", "")
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
        show=show if show.replace("-", "").isalnum() and show.isascii() else "",
        other=identity("other"),
        sort=sort if sort.removeprefix("-").isidentifier() and sort.isascii() else "network",
        text=parameters.get("text", "")[:MAX_TEXT],
    )


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
        _put(decode(found))
        st.session_state[_TABLE_BASE] = view().dropped
    else:
        _put(view())


def _put(new: ViewState) -> None:
    st.session_state[_VIEW] = new
    parameters = encode(new)
    if dict(st.query_params) != parameters:
        st.query_params.from_dict(parameters)
    st.session_state[_WRITTEN] = parameters


def drop(networks: Iterable[int], *, renew_table: bool = True) -> None:
    """Set the networks that are not preserved; remembered for undo.

    A change that the toggle table made itself must not renew it, or it would lose its place.
    """
    new = tuple(sorted(set(networks)))
    if new == view().dropped:
        return
    history: list[tuple[int, ...]] = st.session_state.setdefault(_HISTORY, [])
    history.append(view().dropped)
    del history[:-_MAX_HISTORY]
    change(dropped=new)
    if renew_table:
        _renew_table()


def undo() -> None:
    """Go back to the networks dropped before the last change."""
    history: list[tuple[int, ...]] = st.session_state.get(_HISTORY, [])
    if history:
        change(dropped=history.pop())
        _renew_table()


def can_undo() -> bool:
    """Whether there is a change to undo."""
    return bool(st.session_state.get(_HISTORY))


def table_key() -> str:
    """Return the key of the toggle table: a new one whenever the table must start afresh."""
    return f"toggles-{st.session_state.setdefault(_TABLE, 0)}"


def table_base() -> tuple[int, ...]:
    """Return the dropped networks that the present toggle table started from.

    A table that was not drawn in the last run has forgotten its edits, and starts from now.
    """
    if table_key() not in st.session_state:
        st.session_state[_TABLE_BASE] = view().dropped
    base: tuple[int, ...] = st.session_state[_TABLE_BASE]
    return base


def _renew_table() -> None:
    st.session_state[_TABLE] = st.session_state.get(_TABLE, 0) + 1
    st.session_state[_TABLE_BASE] = view().dropped


def open_atlas(atlas: str, *, recording: str) -> None:
    """Look at another atlas: its recording comes along, plan and choices start anew."""
    change(
        recording=recording, atlas=atlas, plan="", network=0, dropped=(), beside=(), unit=-1,
        session=-1, token=-1, other="",
    )  # fmt: skip
    st.session_state[_HISTORY] = []
    _renew_table()


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


def remember(name: str, value: Any) -> None:
    """Keep a value for one later `recall`."""
    st.session_state[name] = value


def forget(name: str) -> None:
    """Set the widget with key `name` back to its default."""
    st.session_state.pop(name, None)


def recall(name: str) -> Any:
    """Return a remembered value, once."""
    return st.session_state.pop(name, None)
