"""Whose visit a page belongs to."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.doors import here, visits
from app.shell.visit import visit_id


def _page() -> None:
    import streamlit as st

    from app.shell.visit import visit_id

    st.text(visit_id())


@pytest.mark.parametrize(
    "cookies", [{}, {visits.cookie_name(): ""}, {visits.cookie_name(): "of-a"}, {"other": "x"}]
)
def test_without_the_cookie_it_is_the_session(monkeypatch, cookies) -> None:
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: cookies))
    assert AppTest.from_function(_page).run().text[0].value == "test session id"


def test_with_the_cookie_it_is_the_browser(monkeypatch) -> None:
    cookie = visits.issued(here.door())
    monkeypatch.setattr(
        type(st.context), "cookies", property(lambda _: {visits.cookie_name(): cookie})
    )
    assert AppTest.from_function(_page).run().text[0].value == cookie.partition(".")[0]


def test_outside_of_a_page_it_is_nobody(monkeypatch) -> None:
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    assert visit_id() == ""
