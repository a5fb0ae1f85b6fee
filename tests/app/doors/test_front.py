"""The first page by its name."""

from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit import config

from app.doors import front


def test_the_first_page_opens_by_its_name_with_all_that_was_asked(monkeypatch) -> None:
    client = TestClient(Starlette(routes=front.routes()))
    answer = client.get("/start?atlas=a&z=4", follow_redirects=False)
    assert answer.is_redirect
    assert answer.headers["location"] == "/?atlas=a&z=4"
    option = config.get_option
    monkeypatch.setattr(
        config, "get_option", lambda key: "lab" if key == "server.baseUrlPath" else option(key)
    )
    client = TestClient(Starlette(routes=front.routes()))
    answer = client.get("/lab/start", follow_redirects=False)
    assert answer.headers["location"] == "/lab/"
