"""Whose visit a page belongs to: the one place of the script that reads the cookie."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.doors import here, visits


def visit_id() -> str:
    """Return the id of the visit: the browser's, else the session's where there is no cookie.

    Empty outside of a page.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return ""
    return visits.id_of(st.context.cookies, here.door()) or context.session_id
