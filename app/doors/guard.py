"""The guard: an ASGI middleware that sees every request and handshake before Streamlit does.

It checks host name, origin and token, and lets nothing else in: no session, no file, no upload.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.doors import answers, here, origins, patience, people, visits
from app.doors.crowd import Crowd
from app.doors.requests import HOST, PARAMETER, Request, netloc, pass_cookie, read_request
from app.doors.settings import DoorSettings

#: What the guard tells the script of a visit, so that it knows it was let in by a guard.
PASSED_HEADER = "x-fnprune-passed"
_ENTER, _LOGIN = "/_fnprune/enter", "/_fnprune/login"
_LOGIN_PATHS = ("/auth/login", "/auth/logout", "/oauth2callback")
_HEALTH = "/_stcore/health"
_MONTH_S = 30 * 86_400
_MAX_FORM_BYTES = 8192
#: What a wrong token costs, however it comes, and how many are answered at once.
_WRONG_S, _N_WRONG = 0.5, 20
#: Nothing is loaded from another server, whatever a text says; links are for people to follow.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' {sockets} data: blob:; worker-src 'self' blob:; "
    "frame-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)


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
        self._wrong = asyncio.Semaphore(_N_WRONG)
        self._crowd = Crowd()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = read_request(scope, trusts_proxy=self._door.trusts_proxy)
        if not request.is_socket:
            receive = patience.within_time(receive)
        answer = await self._answer(request, receive)
        visit = visits.id_of(request.cookies, self._door)
        has_room = self._crowd.has_room(visit)
        if request.is_socket:
            if answer is not None or not has_room:
                # Before the handshake is accepted: the server answers it with 403.
                await send({"type": "websocket.close", "code": 1008, "reason": "not let in"})
                return
            self._mark(scope, request)
            with self._crowd.counted(visit):
                await self._app(scope, _of_bytes(receive), self._adding(request, send))
        elif answer is None and (has_room or not request.wants_page):
            self._mark(scope, request)
            await self._app(scope, receive, self._adding(request, send))
        else:  # a page without its socket would say nothing
            answer = answer or _page(answers.too_many_tabs(), 503, request)
            await answer(scope, receive, self._adding(request, send))

    async def _answer(self, request: Request, receive: Receive) -> Response | None:
        """Return what a request is answered instead of being let through; None for who may."""
        base = here.base_path()
        path = request.path.removeprefix(base)
        if path == _HEALTH and request.is_local and request.method in ("GET", "HEAD"):
            return None  # a container asks itself whether it is well; the answer is "ok"
        refused = origins.refusal(request, self._door)
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
        if request.guesses:
            await self._slow()
        return self._ask(request, base, is_wrong=request.token is not None)

    def _without_token(self, request: Request) -> Response | None:
        """Return the redirect that takes the token out of a page's address, if it is there."""
        if request.token is None or request.is_socket or request.method not in ("GET", "HEAD"):
            return None
        if self._is_token(request.token):
            return self._welcome(request, request.target)
        return RedirectResponse(request.target, status_code=303)

    def _may_pass(self, request: Request) -> bool:
        """Whether cookie, header or login says who comes."""
        cookie = request.cookies.get(pass_cookie(), "")
        if cookie and hmac.compare_digest(cookie.encode(), self._pass.encode()):
            return True
        if request.bearer is not None and self._is_token(request.bearer):
            return True
        if request.token is not None and self._is_token(request.token):
            return True
        person = people.person_of(request.cookies) if people.is_configured() else None
        return person is not None and people.may_enter(person, self._door)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._door.token.encode())

    async def _enter(self, request: Request, receive: Receive, base: str) -> Response:
        """Read the form of the token's page."""
        form = dict(parse_qsl((await _body(receive)).decode("utf-8", errors="replace")))
        target = form.get("next", "")
        if not target.startswith("/") or target.startswith(("//", "/\\")):
            target = f"{base}/"
        if self._is_token(form.get(PARAMETER, "")):
            return self._welcome(request, target)
        await self._slow()
        return self._ask(request, base, is_wrong=True, target=target)

    async def _slow(self) -> None:
        """Let a wrong guess wait."""
        async with self._wrong:
            await asyncio.sleep(_WRONG_S)

    def _welcome(self, request: Request, target: str) -> Response:
        """Return the redirect to the address without the token, with the cookie."""
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            pass_cookie(),
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
        if request.origin and origins.is_own_origin(request, self._door):
            # Streamlit compares the two, and a proxy may have put its own name in the first.
            origin = netloc(request.origin).encode("latin-1", errors="replace")
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
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                if headers.get("access-control-allow-origin") == "*":  # of static files
                    del headers["access-control-allow-origin"]
                headers["Content-Security-Policy"] = _POLICY.format(
                    sockets=sockets if HOST.fullmatch(request.host) else ""
                )
                is_page = headers.get("content-type", "").startswith("text/html")
                if is_page and not visits.id_of(request.cookies, self._door):
                    visit = visits.set_cookie(
                        self._door, path=here.base_path() or "/", is_secure=request.is_https
                    )
                    headers.append("set-cookie", visit)
            await send(message)

        return sending


def was_passed(headers: Mapping[str, str]) -> bool:
    """Whether a visit's headers say that a guard of this process let it in."""
    return hmac.compare_digest(headers.get(PASSED_HEADER, ""), _pass_of(here.door()))


def _of_bytes(receive: Receive) -> Receive:
    """Return `receive` that ends a socket which sends text: no page of ours does."""

    async def received() -> Message:
        message = await receive()
        is_text = message.get("text") is not None
        return {"type": "websocket.disconnect", "code": 1003} if is_text else message

    return received


def _pass_of(door: DoorSettings) -> str:
    """Return what the cookie of who was let in holds: a digest, never the token."""
    return hmac.new(door.token.encode(), b"fnprune cookie", hashlib.sha256).hexdigest()


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
