"""Whose visit a page belongs to: the one place of the script that reads the cookie."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.doors import here, visits


def visit_id() -> str:
    """Return the id of the visit: the browser's, else the session's where there is no cookie."""
    visit = visits.id_of(st.context.cookies, here.door())
    if visit:  # a session without a browser has none
        return visit
    context = get_script_run_ctx()
    return "" if context is None else context.session_id
