"""Moves of a session: a followed link, another atlas, and what was deleted."""

from collections.abc import Callable

import streamlit as st

from app.shell import choices, codec, session_state, view_state
from app.shell.view_fields import Choice, Pins, Place, ViewState, decode

#: Where what a field of the view names is kept; open to more than one kind.
_KINDS = {
    "plan": ("plans",),
    "other": ("decompositions", "recordings"),
    "generation": ("generations",),
    "study": ("lesions",),
    "writing": ("lesion_texts",),
}


def synchronise() -> None:
    """Take the URL's view if a link was followed, else write the session's; once a run.

    Moving to another page clears the URL's parameters: then the session's view is kept.
    """
    session_state.begin_run()
    parameter_names = codec.names(ViewState)
    url_parameters = {
        name: value for name, value in st.query_params.items() if name in parameter_names
    }
    if view_state.is_news(url_parameters):
        _follow_link(decode(url_parameters))
    else:
        view_state.take(view_state.view())


def _follow_link(link: ViewState) -> None:
    """Take a link's view; its set of networks is one step, with nothing before it elsewhere."""
    previous = view_state.view()
    if previous.atlas != link.atlas:
        previous = ViewState(atlas=link.atlas)
        choices.begin_anew()
    elif link.dropped != previous.dropped:
        choices.remember(previous)
    view_state.take(link)
    choices.log_change(previous.dropped, link.dropped, what=choices.linked(link.rule))


def open_atlas(atlas: str, *, recording: str) -> None:
    """Select another atlas: its recording comes along, plan and choices start anew."""
    view_state.change(
        Place(), Choice(), Pins(), recording=recording, atlas=atlas, plan="", other="",
        study="", column=-1, writing="",
    )  # fmt: skip
    choices.begin_anew()


def open_recording(recording: str) -> None:
    """Select another recording; the atlas and plan of the one before are left."""
    if recording != view_state.view().recording:
        open_atlas("", recording=recording)


def deselect(is_there: Callable[[str, str], bool]) -> None:
    """Take away from the view what is not in the workspace any more.

    Parameters
    ----------
    is_there : callable
        Whether there is an artifact of a kind and id.
    """
    seen = view_state.view()
    if seen.recording and not is_there("recordings", seen.recording):
        open_atlas("", recording="")
    elif seen.atlas and not is_there("decompositions", seen.atlas):
        open_atlas("", recording=seen.recording)
    seen = view_state.view()
    gone = {
        name: ""
        for name, kinds in _KINDS.items()
        if (id := getattr(seen, name)) and not any(is_there(kind, id) for kind in kinds)
    }
    view_state.change(**gone, plans=tuple(id for id in seen.plans if is_there("plans", id)))
