"""The guard: an ASGI middleware that sees every request and handshake before Streamlit does.

It checks host name, origin and token, and lets nothing else in: no session, no file, no upload.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from app.doors import answers, here, people
from app.doors.settings import DoorSettings, is_loopback

VISIT_COOKIE = "fnprune_visit"
#: What the guard tells the script of a visit, so that it knows it was let in by a guard.
PASSED_HEADER = "x-fnprune-passed"
#: Not `token`: that is the word that a view looks at.
PARAMETER = "fnprune_token"
_ENTER, _LOGIN = "/_fnprune/enter", "/_fnprune/login"
_LOGIN_PATHS = ("/auth/login", "/auth/logout", "/oauth2callback")
_HEALTH = "/_stcore/health"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]+")
_VISIT = re.compile(r"[0-9a-f]{32}")
_MONTH_S, _YEAR_S = 30 * 86_400, 365 * 86_400
_MAX_FORM_BYTES = 8192
_WRONG_S = 0.5  # what a wrong token costs, so that guessing takes ages
#: Nothing is loaded from another server, whatever a text says; links are for people to follow.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' {sockets} data: blob:; worker-src 'self' blob:; "
    "frame-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)


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
        return _name_of(self.host)

    @property
    def token(self) -> str | None:
        """The token in the address; None where there is none."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(PARAMETER)

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


def middleware() -> list[Middleware]:
    """Return what Streamlit's `App` takes: the guard, before all that is Streamlit's."""
    return [Middleware(Guard)]


class Guard:
    """ASGI middleware that lets in who may enter.

    Parameters
    ----------
    app : callable
        What is guarded.
    door : DoorSettings, optional
        By default those of this process.
    """

    def __init__(self, app: ASGIApp, *, door: DoorSettings | None = None) -> None:
        self._app = app
        self._door = here.door() if door is None else door
        self._pass = _pass_of(self._door)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = _request(scope, trusts_proxy=self._door.trusts_proxy)
        answer = await self._answer(request, receive)
        if answer is None:
            self._mark(scope, request)
            await self._app(scope, receive, self._adding(request, send))
        elif request.is_socket:
            # Before the handshake is accepted: the server answers it with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": "not let in"})
        else:
            await answer(scope, receive, self._adding(request, send))

    async def _answer(self, request: Request, receive: Receive) -> Response | None:
        """Return what a request is answered instead of being let through; None for who may."""
        base = here.base_path()
        path = request.path.removeprefix(base)
        if path == _HEALTH and request.is_local and request.method in ("GET", "HEAD"):
            return None  # a container asks itself whether it is well; the answer is "ok"
        refused = self._refused(request)
        if refused:
            return _page(refused, 403, request)
        if self._door.is_private or self._may_pass(request):
            return self._without_token(request)
        if path == _ENTER and request.method == "POST":
            return await self._enter(request, receive, base)
        if people.is_configured() and not request.is_socket:
            if path in _LOGIN_PATHS:
                return None
            if path == _LOGIN:
                return _login(request, base)
        if request.token is not None:
            await asyncio.sleep(_WRONG_S)
        return self._ask(request, base, is_wrong=request.token is not None)

    def _refused(self, request: Request) -> str:
        """Return the page for who comes by a way that is not the server's, whoever it is."""
        if self._door.is_private and not request.is_local:
            return answers.from_elsewhere(request.host)
        if not self._door.knows(request.name):
            return answers.unknown_name(request.host)
        if not self._is_own_origin(request):
            return answers.unknown_name(_netloc(request.origin))
        return ""

    def _without_token(self, request: Request) -> Response | None:
        """Return the redirect that takes the token out of a page's address, if it is there."""
        if request.token is None or request.is_socket or request.method not in ("GET", "HEAD"):
            return None
        if self._is_token(request.token):
            return self._welcome(request, request.target)
        return RedirectResponse(request.target, status_code=303)

    def _may_pass(self, request: Request) -> bool:
        """Whether cookie, header or login says who comes."""
        cookie = request.cookies.get(_pass_cookie(), "")
        if cookie and hmac.compare_digest(cookie.encode(), self._pass.encode()):
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("bearer", "token") and self._is_token(token.strip()):
            return True
        if request.token is not None and self._is_token(request.token):
            return True
        person = people.person_of(request.cookies) if people.is_configured() else None
        return person is not None and people.may_enter(person, self._door)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._door.token.encode())

    def _is_own_origin(self, request: Request) -> bool:
        """Whether a request that can change something comes from a page of this server."""
        if not request.origin or (not request.is_socket and request.method in ("GET", "HEAD")):
            return True
        origin = _netloc(request.origin).lower()
        if origin and origin == request.host.lower():
            return True
        # Behind a proxy that puts its own name into Host, only the origin tells the page's.
        return self._door.is_told_of(_name_of(origin))

    async def _enter(self, request: Request, receive: Receive, base: str) -> Response:
        """Read the form of the token's page."""
        form = dict(parse_qsl((await _body(receive)).decode("utf-8", errors="replace")))
        target = form.get("next", "")
        if not target.startswith("/") or target.startswith(("//", "/\\")):
            target = f"{base}/"
        if self._is_token(form.get(PARAMETER, "")):
            return self._welcome(request, target)
        await asyncio.sleep(_WRONG_S)
        return self._ask(request, base, is_wrong=True, target=target)

    def _welcome(self, request: Request, target: str) -> Response:
        """Return the redirect to the address without the token, with the cookie."""
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            _pass_cookie(),
            self._pass,
            max_age=_MONTH_S,
            path=here.base_path() or "/",
            secure=request.is_https,
            httponly=True,
            samesite="lax",
        )
        return response

    def _ask(
        self, request: Request, base: str, *, is_wrong: bool = False, target: str | None = None
    ) -> Response:
        logins: dict[str, str] = {}
        refused = ""
        if people.is_configured():
            logins = {p: f"{base}{_LOGIN}?{urlencode({'to': p})}" for p in people.providers()}
            person = people.person_of(request.cookies)
            refused = "" if person is None else person.name
        text = answers.token_page(
            enter=f"{base}{_ENTER}",
            target=request.target if target is None else target,
            is_wrong=is_wrong,
            logins=logins,
            refused=refused,
        )
        return _page(text, 403, request, is_page=request.wants_page or target is not None)

    def _mark(self, scope: Scope, request: Request) -> None:
        """Tell the script that a guard let the visit in, and Streamlit whose page is asking."""
        headers = [(k, v) for k, v in scope["headers"] if k.lower() != PASSED_HEADER.encode()]
        headers.append((PASSED_HEADER.encode(), self._pass.encode()))
        if request.origin and self._is_own_origin(request):
            # Streamlit compares the two, and a proxy may have put its own name in the first.
            origin = _netloc(request.origin).encode("latin-1", errors="replace")
            headers = [(k, origin if k.lower() == b"host" else v) for k, v in headers]
        scope["headers"] = headers

    def _adding(self, request: Request, send: Send) -> Send:
        """Return `send` with our headers on every answer, and a visit's cookie on every page."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                sockets = f"{'wss' if request.is_https else 'ws'}://{request.host}"
                headers["Referrer-Policy"] = "same-origin"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Content-Security-Policy"] = _POLICY.format(
                    sockets=sockets if _HOST.fullmatch(request.host) else ""
                )
                is_page = headers.get("content-type", "").startswith("text/html")
                if is_page and not _VISIT.fullmatch(request.cookies.get(VISIT_COOKIE, "")):
                    headers.append("set-cookie", _visit_cookie(request))
            await send(message)

        return sending


def was_passed(headers: Mapping[str, str]) -> bool:
    """Whether a visit's headers say that a guard of this process let it in."""
    return hmac.compare_digest(headers.get(PASSED_HEADER, ""), _pass_of(here.door()))


def _pass_of(door: DoorSettings) -> str:
    """Return what the cookie of who was let in holds: a digest, never the token."""
    return hmac.new(door.token.encode(), b"fnprune cookie", hashlib.sha256).hexdigest()


def _request(scope: Scope, *, trusts_proxy: bool) -> Request:
    headers = Headers(scope=scope)
    server, client = scope.get("server"), scope.get("client")
    is_forwarded = any(name in headers for name in _FORWARDED)
    is_https = scope.get("scheme") in ("https", "wss") and "x-forwarded-proto" not in headers
    if trusts_proxy:
        is_https = is_https or headers.get("x-forwarded-proto", "").lower() == "https"
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


def _name_of(host: str) -> str:
    """Return the name of a Host header, lower case, without its port; empty if it is none."""
    if not _HOST.fullmatch(host):
        return ""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return ""
    return (name or "").rstrip(".")


def _netloc(origin: str) -> str:
    """Return host and port of an Origin header; empty where it has none, as ``null``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _pass_cookie() -> str:
    """Return the cookie's name: servers at other ports of one machine have their own."""
    return f"fnprune_pass_{config.get_option('server.port')}"


def _visit_cookie(request: Request) -> str:
    secure = "; Secure" if request.is_https else ""
    return (
        f"{VISIT_COOKIE}={secrets.token_hex(16)}; Path={here.base_path() or '/'}; "
        f"Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"
    )


def _login(request: Request, base: str) -> Response:
    """Return the redirect to the provider that was chosen."""
    wanted = dict(parse_qsl(request.query)).get("to", "")
    if wanted not in people.providers():
        return RedirectResponse(f"{base}/", status_code=303)
    return RedirectResponse(people.login_address(base, wanted), status_code=303)


def _page(text: str, status: int, request: Request, *, is_page: bool | None = None) -> Response:
    """Return a page to who can read one, a word to all else."""
    headers = {"Cache-Control": "no-store"}
    if request.wants_page if is_page is None else is_page:
        return HTMLResponse(text, status_code=status, headers=headers)
    return PlainTextResponse("not let in\n", status_code=status, headers=headers)


async def _body(receive: Receive) -> bytes:
    """Return the body of a form; nothing of one that is too long."""
    body, has_more = b"", True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
        if len(body) > _MAX_FORM_BYTES:
            return b""
    return body
