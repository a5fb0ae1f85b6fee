"""Controls that pages repeat: choices, numbers, buttons, downloads, tables with rows to press."""

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import streamlit as st

from app.shell import session_state

T = TypeVar("T")
Kind = Literal["primary", "secondary", "tertiary"]
#: Heading alone, or heading, format and help; a format alone; None hides a column.
Column = Any
_FORMATS = ("percent", "localized")


def choose(  # noqa: PLR0913 - a widget's options, as Streamlit's own have them
    label: str,
    choices: Mapping[T, str] | Sequence[T],
    *,
    key: str,
    default: T | None = None,
    words: Callable[[T], str] = str,
    help: str | None = None,
    is_labelled: bool = False,
    is_kept: bool = False,
    wrap: bool | None = None,
) -> T:
    """Draw a few things side by side of which one is chosen; return it.

    Parameters
    ----------
    choices : mapping or sequence
        The things with their words; or the things alone, with `words` to name each.
    default : optional
        What is chosen at first; the first of them by default.
    is_kept : bool
        Whether the choice stays when another page is opened.
    """
    first = next(iter(choices)) if default is None else default
    chosen = st.segmented_control(
        label,
        list(choices),
        format_func=choices.__getitem__ if isinstance(choices, Mapping) else words,
        default=first,
        required=True,
        key=key,
        help=help,
        label_visibility="visible" if is_labelled else "collapsed",
        persist_state="session" if is_kept else None,
        wrap=wrap,
    )
    return first if chosen is None else chosen


def number(  # noqa: PLR0913 - as above
    label: str,
    low: int,
    high: int,
    value: int,
    *,
    key: str,
    help: str | None = None,
    step: int = 1,
    width: int | Literal["stretch"] = "stretch",
) -> int:
    """Draw a whole number within bounds, kept when another page is opened; return it."""
    chosen = st.number_input(
        label, low, high, value, step, key=key, help=help, width=width, persist_state="session"
    )
    return int(chosen)


def button(  # noqa: PLR0913 - as above
    label: str,
    icon: str = "",
    *,
    key: str | None = None,
    does: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
    kind: Kind = "secondary",
    is_off: bool = False,
    help: str | None = None,
    shortcut: str | None = None,
    width: int | Literal["content", "stretch"] = "content",
) -> bool:
    """Draw a button; return whether it was pressed.

    Parameters
    ----------
    icon : str
        Name of a Material symbol.
    does : callable, optional
        Called with `args` before the page runs again.
    """
    return st.button(
        label,
        icon=f":material/{icon}:" if icon else None,
        key=key,
        on_click=does,
        args=args,
        type=kind,
        disabled=is_off,
        help=help,
        shortcut=shortcut,
        width=width,
    )


def download(
    label: str,
    content: Any,
    file: str,
    *,
    key: str,
    icon: str = "download",
    is_off: bool = False,
    help: str | None = None,
) -> None:
    """Draw a button that saves a file: its content, or what makes it once it is pressed."""
    st.download_button(
        label,
        content,
        file_name=file,
        mime=mimetypes.guess_type(file)[0],
        icon=f":material/{icon}:",
        key=key,
        disabled=is_off,
        help=help,
        on_click="ignore",
    )


def table(
    rows: Any,
    *,
    alt: str,
    key: str | None = None,
    columns: Mapping[str, Column] | None = None,
    height: int | Literal["auto", "content"] = "auto",
    on_row: Callable[[int], None] | None = None,
    **options: Any,
) -> None:
    """Draw a table.

    Parameters
    ----------
    columns : mapping, optional
        How columns are headed and written, by name.
    on_row : callable, optional
        Called with the place of a row that is pressed; `key` is needed then.
    """

    def press() -> None:
        places: Sequence[int] = session_state.widget(str(key))["selection"]["rows"]
        if places and on_row is not None:
            on_row(int(places[0]))

    if on_row is not None:
        options |= {"on_select": press, "selection_mode": "single-row"}
    st.dataframe(
        rows,
        hide_index=True,
        alt=alt,
        key=key,
        height=height,
        column_config={name: _column(each) for name, each in (columns or {}).items()},
        **options,
    )


def _column(column: Column) -> Any:
    if isinstance(column, str) and (column in _FORMATS or column.startswith("%")):
        return st.column_config.NumberColumn(format=column)
    if isinstance(column, tuple):
        label, form, text = (*column, "", "")[:3]
        if not form:
            return st.column_config.Column(label, help=text)
        return st.column_config.NumberColumn(label, format=form, help=text or None)
    return column
