"""A whole login by OIDC at a real server, with a provider on this machine."""

import sys
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from browsing import ROOT, serving
from raw_client import RawServer
from toy_provider import Provider, provider

SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "a secret for signing cookies, of enough letters"
client_id = "fnprune"
client_secret = "x"
server_metadata_url = "{address}/.well-known/openid-configuration"
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A browser's cookies, and what it is shown."""

    url: str
    jar: CookieJar

    def get(self, path: str) -> tuple[int, str]:
        opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))
        request = Request(self.url + path, headers={"Accept": "text/html"})
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Provider]]:
    with provider() as made:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "secrets.toml").write_text(SECRETS.format(address=made.address))
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app/main.py")]
        command.append("--server.address=0.0.0.0")
        variables = {
            "FNPRUNE_ALLOW_USER": "ada@lab.example", "FNPRUNE_WORKSPACE": str(tmp_path / "w"),
            "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        with serving(
            lambda port: [*command, f"--server.port={port}"],
            cwd=tmp_path, log=tmp_path / "log", **variables,
        ) as url:  # fmt: skip
            yield url, made


def test_who_was_named_logs_in_and_nobody_else(served) -> None:
    url, made = served
    server = RawServer(port=urlsplit(url).port or 0)
    for mail, is_verified in (("eve@lab.example", True), ("ada@lab.example", False)):
        stranger = Person(url, CookieJar())
        made.mail, made.is_verified = mail, is_verified
        assert "/_fnprune/login" in stranger.get("/")[1]
        status, page = stranger.get("/_fnprune/login?to=default")
        assert status == 403
        assert f"{mail} may not enter" in page
        assert "_streamlit_user" in stranger.cookies()
        assert server.handshake(Cookie=stranger.cookies()) == 403
        assert stranger.get("/app/static/icon.png")[0] == 403
    ada = Person(url, CookieJar())
    made.mail, made.is_verified = "Ada@lab.example", True
    assert ada.get("/")[0] == 403
    status, page = ada.get("/_fnprune/login?to=default")
    assert (status, "may not enter" in page) == (200, False)
    assert server.handshake(Cookie=ada.cookies()) == 101
    assert "Functional networks" in "".join(server.session(Cookie=ada.cookies()))
    assert server.handshake() == 403
