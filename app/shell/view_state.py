"""The view of a person in this session, mirrored in the URL.

A link or a reload opens the same view; see `view_fields` for what it holds.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st

from app.shell import codec
from app.shell.view_fields import Choice, Pins, Place, ViewState, encode

T = TypeVar("T")

_VIEW = "view"
_WRITTEN = "view written to the URL"
_ECHOES = "views that were written to the URL a moment ago"
_ECHO_S, _MOST_ECHOES = 2.0, 16  # a browser's next request may still bear the URL of before


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


def change(*parts: Place | Choice | Pins, **fields: Any) -> None:
    """Change the view, and with it the URL; allowed in callbacks and in pages.

    Parameters
    ----------
    *parts : Place, Choice or Pins
        Set as a whole.
    **fields : Any
        Single fields.
    """
    whole = {name: value for part in parts for name, value in vars(part).items()}
    take(replace(view(), **whole, **fields))


def page_options(kind: type[T]) -> T:
    """Return a page's own options, a dataclass with codecs, as `show` holds them."""
    return codec.decode_words(kind, view().show)


def change_options(kind: type[Any], **fields: Any) -> None:
    """Change a page's own options, and with them the URL; `show` stays where none changes."""
    present = page_options(kind)
    changed = replace(present, **fields)
    if changed != present:
        change(show=codec.encode_words(changed))


def is_news(parameters: Mapping[str, str]) -> bool:
    """Whether a URL's parameters are of a link, and not what this session wrote or just left."""
    if _VIEW not in st.session_state:
        return True
    if not parameters or parameters == st.session_state.get(_WRITTEN):
        return False
    now = time.monotonic()
    echoes: list[tuple[float, dict[str, str]]] = st.session_state.get(_ECHOES, [])
    return not any(now - left < _ECHO_S and parameters == echo for left, echo in echoes)


def take(new: ViewState) -> None:
    """Set the whole view, and write it to the URL."""
    st.session_state[_VIEW] = new
    parameters = encode(new)
    written = st.session_state.get(_WRITTEN, parameters)
    if written != parameters:
        echoes = st.session_state.get(_ECHOES, [])
        st.session_state[_ECHOES] = [*echoes, (time.monotonic(), written)][-_MOST_ECHOES:]
    if dict(st.query_params) != parameters:
        st.query_params.from_dict(parameters)
    st.session_state[_WRITTEN] = parameters
