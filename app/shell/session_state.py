"""What a session remembers beside its view: values of widgets, notices, results it has taken."""

from typing import Any

import streamlit as st

from app.shell.jobs.job import Failure

_TAKEN = "jobs whose result is in the view"
_MATCHED = "atlases whose earlier results are matched by maps"
_NOTICES = "notices for the next page"
_TOLD = "what this run of the page has told"
_REFUSAL = "what was refused, for the next page"
#: Key of whether the dialog of search and lists is open in this session.
SEARCH_IS_OPEN = "search is open"


def begin_run() -> None:
    """Forget what the last run of the page has told."""
    st.session_state[_TOLD] = {}


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
