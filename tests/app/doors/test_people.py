"""People who log in by OIDC: Streamlit's own cookies, read before any session exists."""

import asyncio
import json
from pathlib import Path

import pytest
from streamlit import auth_util, config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from app.doors import opening, people
from app.doors.guard import Guard
from app.doors.settings import DoorSettings, read
from fnprune_core.errors import SettingsError

SECRET = "a secret for signing cookies, of enough letters"
ORIGIN = "https://brain.example"
PROVIDER = """
[auth]
redirect_uri = "https://brain.example/oauth2callback"
cookie_secret = "{secret}"
client_id = "fnprune"
client_secret = "x"
server_metadata_url = "https://login.example/.well-known/openid-configuration"
"""
PERSON = {
    "is_logged_in": True, "origin": ORIGIN, "email": "Ada@lab.example", "email_verified": True,
    "provider": "default",
}  # fmt: skip


@pytest.fixture(autouse=True)
def secrets(tmp_path, monkeypatch):
    """Streamlit's secrets, as an [auth] section of a file."""
    path = tmp_path / "secrets.toml"
    path.write_text(PROVIDER.format(secret=SECRET))
    files = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    secrets_singleton._reset()
    yield path
    config.set_option("secrets.files", files)
    secrets_singleton._reset()


def cookie(facts: dict, *, secret: str = SECRET) -> dict[str, str]:
    signed = create_signed_value(secret, "_streamlit_user", json.dumps(facts))
    return {"_streamlit_user": signed.decode()}


def door(users: str = "ada@lab.example") -> DoorSettings:
    return read("0.0.0.0", {"FNPRUNE_ALLOW_USER": users, "FNPRUNE_ALLOW_HOST": "brain.example"})


def may(facts: dict, *, users: str = "ada@lab.example", secret: str = SECRET) -> bool:
    person = people.person_of(cookie(facts, secret=secret))
    return person is not None and people.may_enter(person, door(users))


def test_who_was_named_may_enter() -> None:
    assert may(PERSON)
    assert may(PERSON, users="@lab.example")
    assert may(PERSON, users="*")
    assert may(PERSON | {"email_verified": None})


@pytest.mark.parametrize(
    ("changes", "users"),
    [
        ({}, "eve@lab.example"),
        ({}, "@other.example"),
        ({}, "@example"),
        ({}, ""),
        ({"email": "ada@lab.example.evil.example"}, "ada@lab.example,@lab.example"),
        ({"email": None}, "ada@lab.example"),
        ({"email": ["ada@lab.example"]}, "ada@lab.example"),
        ({"email_verified": False}, "ada@lab.example"),
        ({"is_logged_in": False}, "*"),
        ({"origin": "https://evil.example"}, "*"),
        ({"origin": None}, "*"),
    ],
)
def test_who_was_not_stays_out(changes, users) -> None:
    assert not may(PERSON | changes, users=users)


def test_a_cookie_that_another_server_signed_is_nobody_s() -> None:
    assert not may(PERSON, users="*", secret="another secret, of enough letters too")
    for text in ("", "x", json.dumps(PERSON)):
        assert people.person_of({"_streamlit_user": text}) is None


def test_without_a_secret_no_cookie_is_believed(secrets) -> None:
    """Streamlit would sign with the empty text, which anyone can."""
    secrets.write_text(PROVIDER.format(secret=""))
    secrets_singleton._reset()
    config_secret = config.get_option("server.cookieSecret")
    config.set_option("server.cookieSecret", "")
    try:
        assert people.person_of(cookie(PERSON, secret="")) is None
    finally:
        config.set_option("server.cookieSecret", config_secret)


def answered(path: str, cookies: dict[str, str], *, users: str = "ada@lab.example", kind="http"):
    """Return the first message of the guard's answer, its body, and whether it let in."""
    messages, inside = [], []

    async def app(scope, receive, send):
        inside.append(scope)

    async def send(message):
        messages.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    text = "; ".join(f"{name}={value}" for name, value in cookies.items())
    path, _, query = path.partition("?")
    scope = {
        "type": kind, "method": "GET", "path": path, "query_string": query.encode(),
        "scheme": "https", "server": ("10.0.0.2", 8501), "client": ("10.0.0.9", 1),
        "headers": [
            (b"host", b"brain.example"), (b"accept", b"text/html"), (b"cookie", text.encode())
        ],
    }  # fmt: skip
    asyncio.run(Guard(app, door=door(users))(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in messages).decode()
    return (messages or [{}])[0], body, bool(inside)


def test_the_login_is_offered_and_opens_before_any_session(monkeypatch) -> None:
    monkeypatch.setattr(auth_util, "encode_provider_token", lambda name: f"token-of-{name}")
    start, body, got_in = answered("/", {})
    assert (start["status"], got_in) == (403, False)
    assert "/_fnprune/login?to=default" in body
    assert answered("/_stcore/stream", {}, kind="websocket")[0]["type"] == "websocket.close"
    start, _, _ = answered("/_fnprune/login?to=default", {})
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert headers["location"] == "/auth/login?provider=token-of-default"
    start, _, _ = answered("/_fnprune/login?to=elsewhere", {})
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert headers["location"] == "/"
    for path in ("/auth/login?provider=x", "/oauth2callback?code=y"):
        assert answered(path, {})[2], "Streamlit itself answers these"
    for kind in ("http", "websocket"):
        assert answered("/_stcore/stream", cookie(PERSON), kind=kind)[2]


def test_who_logged_in_and_may_not_enter_is_told() -> None:
    start, body, got_in = answered("/", cookie(PERSON | {"email": "<b>eve@x"}))
    assert (start["status"], got_in) == (403, False)
    assert "&lt;b&gt;eve@x may not enter" in body
    assert "--allow-user" in body


def test_several_providers_are_offered(secrets: Path) -> None:
    named = PROVIDER.format(secret=SECRET).replace('client_id = "fnprune"', "")
    secrets.write_text(f'{named}\n[auth.google]\nclient_id = "a"\n[auth.lab]\nclient_id = "b"\n')
    secrets_singleton._reset()
    assert people.providers() == ["google", "lab"]


def test_a_login_that_lets_nobody_in_is_told_at_the_start(monkeypatch) -> None:
    monkeypatch.setattr(auth_util, "is_authlib_installed", lambda: True)
    opening.check_login(door())
    with pytest.raises(SettingsError, match="nobody is named"):
        opening.check_login(door(""))
    monkeypatch.setattr(auth_util, "is_authlib_installed", lambda: False)
    with pytest.raises(SettingsError, match="missing"):
        opening.check_login(door())
    opening.check_login(read("127.0.0.1", {}))  # alone on this machine nobody logs in
