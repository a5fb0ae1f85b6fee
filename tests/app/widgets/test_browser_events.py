"""What the browser loads ahead: the very script that Streamlit asks for."""

from pathlib import Path

import streamlit as st

from app.widgets import browser_events


def test_the_script_for_charts_is_where_streamlit_serves_it() -> None:
    address = browser_events._charts_address()
    assert address.startswith("/static/js/PlotlyChart.")
    assert (Path(st.__file__).with_name("static") / address.lstrip("/")).is_file()
