"""Whose visit a page belongs to: the one place of the script that reads the cookie."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.doors.guard import VISIT_COOKIE

#: Cookie of a browser, random, which the guard sets.
COOKIE = VISIT_COOKIE


def visit_id() -> str:
    """Return the id of the visit: the browser's, else the session's where there is no cookie."""
    cookie = st.context.cookies.get(COOKIE)
    if isinstance(cookie, str) and cookie:  # a session without a browser has neither
        return cookie
    context = get_script_run_ctx()
    return "" if context is None else context.session_id
