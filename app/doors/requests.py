"""What the guard reads of a request or a handshake."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope
from streamlit import config

from app.doors.settings import is_loopback

#: Not `token`: that is the word that a view looks at.
PARAMETER = "fnprune_token"
HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]+")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the guard reads of a request or a handshake."""

    path: str
    query: str
    method: str
    is_socket: bool
    host: str
    origin: str
    cookies: Mapping[str, str]
    headers: Headers
    is_https: bool
    is_local: bool

    @property
    def name(self) -> str:
        """Host name that was asked for, without its port."""
        return name_of(self.host)

    @property
    def token(self) -> str | None:
        """The token in the address; None where there is none."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(PARAMETER)

    @property
    def bearer(self) -> str | None:
        """The token in a header; None where there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "token") else None

    @property
    def guesses(self) -> bool:
        """Whether the request brings what might be a token, or is made of one."""
        return (
            self.token is not None
            or self.bearer is not None
            or bool(self.cookies.get(pass_cookie()))
        )

    @property
    def wants_page(self) -> bool:
        """Whether a browser asks for something to show in a window."""
        return (
            not self.is_socket
            and self.method in ("GET", "HEAD")
            and "text/html" in self.headers.get("accept", "")
        )

    @property
    def target(self) -> str:
        """Path and query without the token."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if name != PARAMETER])
        # `//host` would lead to another server.
        path = "/" + self.path.lstrip("/\\")
        return f"{path}?{query}" if query else path


def pass_cookie() -> str:
    """Return the cookie's name: servers at other ports of one machine have their own."""
    return f"fnprune_pass_{config.get_option('server.port')}"


def read_request(scope: Scope, *, trusts_proxy: bool) -> Request:
    """Return what a scope says."""
    headers = Headers(scope=scope)
    server, client = scope.get("server"), scope.get("client")
    is_forwarded = any(name in headers for name in _FORWARDED)
    is_https = scope.get("scheme") in ("https", "wss") and "x-forwarded-proto" not in headers
    if trusts_proxy:
        is_https = is_https or _is_https_outside(headers)
    return Request(
        path=scope.get("path", "/"),
        query=scope.get("query_string", b"").decode("latin-1"),
        method=scope.get("method", "GET"),
        is_socket=scope["type"] == "websocket",
        host=headers.get("host", ""),
        origin=headers.get("origin", ""),
        cookies=_cookies(headers.get("cookie", "")),
        headers=headers,
        is_https=is_https,
        is_local=not is_forwarded and _is_here(server) and _is_here(client),
    )


def _is_https_outside(headers: Headers) -> bool:
    """Whether the browser came by https; each proxy may have added what it was asked by."""
    return headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower() == "https"


def _is_here(end: Sequence[object] | None) -> bool:
    """Whether an end of a connection is on this machine; a test's client has none."""
    return end is not None and is_loopback(str(end[0]))


def _cookies(text: str) -> dict[str, str]:
    cookies: dict[str, str] = {}
    for part in text.split(";"):
        try:
            jar = SimpleCookie(part.strip())
        except CookieError:
            continue
        cookies.update({name: morsel.value for name, morsel in jar.items()})
    return cookies


def name_of(host: str) -> str:
    """Return the name of a Host header, lower case, without its port; empty if it is none."""
    if not HOST.fullmatch(host):
        return ""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return ""
    return (name or "").rstrip(".")


def netloc(origin: str) -> str:
    """Return host and port of an Origin header; empty where it has none, as ``null``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
