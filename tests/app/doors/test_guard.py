"""The guard by itself: what it lets through, what it answers, what it adds."""

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest

from app.doors import guard, here, patience, visits
from app.doors.guard import PASSED_HEADER, Guard, was_passed
from app.doors.settings import DoorSettings, read

TOKEN = "a-token-of-enough-letters"
SHARED = {"FNPRUNE_TOKEN": TOKEN}
PAGE = {"accept": "text/html,*/*"}
OUTSIDE = ("192.168.1.9", 50_000)


class Inside:
    """What is guarded: remembers who got in, and answers with a page."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"inside"})


class Answer:
    """What came back of one request."""

    def __init__(self, messages: list[dict[str, Any]], inside: Inside) -> None:
        self.messages, self.inside = messages, inside
        start = messages[0]
        self.status = start.get("status")
        self.headers = [(k.decode().lower(), v.decode()) for k, v in start.get("headers", [])]
        self.text = b"".join(m.get("body", b"") for m in messages).decode()

    @property
    def got_in(self) -> bool:
        return bool(self.inside.scopes)

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    def cookie(self, name: str):
        for key, value in self.headers:
            if key == "set-cookie" and value.startswith(f"{name}="):
                return SimpleCookie(value)[name]
        return None


def ask(  # noqa: PLR0913 - all that a request may be
    door: DoorSettings,
    path: str = "/",
    *,
    kind: str = "http",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    server=("192.168.1.2", 8501),
    client=OUTSIDE,
    scheme: str = "http",
    body: bytes = b"",
) -> Answer:
    path, _, query = path.partition("?")
    given = {"host": "192.168.1.2:8501", **(headers or {})}
    scope = {
        "type": kind, "path": path, "query_string": query.encode(), "scheme": scheme,
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in given.items()],
        "server": server, "client": client,
    }  # fmt: skip
    if kind == "http":
        scope["method"] = method
    messages: list[dict[str, Any]] = []
    inside = Inside()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message) -> None:
        messages.append(message)

    asyncio.run(Guard(inside, door=door)(scope, receive, send))
    return Answer(messages, inside)


def here_only(path: str = "/", **options: Any) -> Answer:
    """Ask a server for its own machine alone, from that machine."""
    ends = {"server": ("127.0.0.1", 8501), "client": ("127.0.0.1", 50_000)}
    options["headers"] = {"host": "127.0.0.1:8501", **options.get("headers", {})}
    return ask(read("127.0.0.1", {}), path, **{**ends, **options})


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr("app.doors.guard._WRONG_S", 0.0)


@pytest.fixture
def shared() -> DoorSettings:
    return read("0.0.0.0", SHARED)


PATHS = (
    "/", "/atlas", "/_stcore/stream", "/_stcore/host-config", "/_stcore/health",
    "/_stcore/upload_file/session/file", "/_stcore/metrics", "/_stcore/agent/interact",
    "/_stcore/bidi-components/a/b.js", "/media/picture.png", "/component/x/index.html",
    "/static/js/index.js", "/app/static/icon.png", "/auth/login", "/oauth2callback", "/favicon.png",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_given_to_who_has_no_token(shared, path) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = ask(shared, path, method=method)
        assert (answer.status, answer.got_in) == (403, False), method


@pytest.mark.parametrize("path", ["/_stcore/stream", "/", "/anything"])
def test_no_handshake_without_token(shared, path) -> None:
    answer = ask(shared, path, kind="websocket")
    assert [m["type"] for m in answer.messages] == ["websocket.close"]
    assert not answer.got_in


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"token {TOKEN}"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_token_opens_as_a_header(shared, headers, kind) -> None:
    assert ask(shared, "/_stcore/stream", kind=kind, headers=headers).got_in


@pytest.mark.parametrize(
    "text", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "Bearer", "ü", "\x00", "None"]
)
def test_nothing_like_the_token_opens(shared, text) -> None:
    for headers in (
        {"authorization": f"Bearer {text}"},
        {"authorization": text},
        {"cookie": f"fnprune_pass_8501={text}"},
        {"cookie": f"fnprune_visit_8501={TOKEN}; x={TOKEN}"},
        {PASSED_HEADER: text},
    ):
        assert not ask(shared, "/", headers=headers).got_in
    assert not ask(shared, f"/_stcore/stream?fnprune_token={text}", kind="websocket").got_in


def test_the_token_leaves_the_address_and_becomes_a_cookie(shared) -> None:
    answer = ask(shared, f"/atlas?z=2&fnprune_token={TOKEN}&token=7", headers=PAGE)
    assert (answer.status, answer.header("location")) == (303, "/atlas?z=2&token=7")
    assert not answer.got_in
    cookie = answer.cookie("fnprune_pass_8501")
    assert TOKEN not in cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "lax", "")
    with_cookie = {"cookie": f"fnprune_pass_8501={cookie.value}"}
    for kind in ("http", "websocket"):
        assert ask(shared, "/_stcore/stream", kind=kind, headers=with_cookie).got_in
    other = read("0.0.0.0", {"FNPRUNE_TOKEN": TOKEN + "-new"})
    assert not ask(other, headers=with_cookie).got_in, "another token closes again"


def test_a_token_that_is_wrong_is_told_and_stays_out(shared) -> None:
    answer = ask(shared, "/?fnprune_token=wrong", headers=PAGE)
    assert (answer.status, answer.got_in) == (403, False)
    assert "not this server" in answer.text
    assert answer.cookie("fnprune_pass_8501") is None


def test_the_form_takes_the_token(shared) -> None:
    asked = ask(shared, "/plans?plan=abc", headers=PAGE)
    assert 'action="/_fnprune/enter"' in asked.text
    assert 'value="/plans?plan=abc"' in asked.text
    origin = {"origin": "http://192.168.1.2:8501"}
    body = f"fnprune_token={TOKEN}&next=%2Fplans%3Fplan%3Dabc".encode()
    right = ask(shared, "/_fnprune/enter", method="POST", headers=origin, body=body)
    assert (right.status, right.header("location")) == (303, "/plans?plan=abc")
    assert right.cookie("fnprune_pass_8501")
    wrong = ask(shared, "/_fnprune/enter", method="POST", headers=origin, body=b"fnprune_token=x")
    assert (wrong.status, wrong.cookie("fnprune_pass_8501")) == (403, None)


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_nobody_is_sent_to_another_server(shared, target) -> None:
    body = f"fnprune_token={TOKEN}&next={target}".encode()
    answer = ask(shared, "/_fnprune/enter", method="POST", body=body)
    assert answer.header("location") == "/"
    led = ask(shared, f"//evil.example/?fnprune_token={TOKEN}", headers=PAGE)
    assert led.header("location").startswith("/evil.example")


def test_a_form_that_is_too_long_is_not_read(shared) -> None:
    body = f"fnprune_token={TOKEN}&x={'y' * 10_000}".encode()
    assert ask(shared, "/_fnprune/enter", method="POST", body=body).status == 403


def test_what_was_asked_for_is_text_in_the_page(shared) -> None:
    answer = ask(shared, '/"><script>alert(1)</script>?a="><img src=x>', headers=PAGE)
    assert "<script>" not in answer.text
    assert "<img" not in answer.text
    named = ask(shared, headers={**PAGE, "host": "<script>evil</script>"})
    assert "<script>" not in named.text


def test_another_name_is_told_which_option_to_set(shared) -> None:
    answer = ask(shared, headers={**PAGE, "host": "brain.example:8501"})
    assert (answer.status, answer.got_in) == (403, False)
    assert "FNPRUNE_ALLOW_HOST=brain.example" in answer.text
    told = read("0.0.0.0", {**SHARED, "FNPRUNE_ALLOW_HOST": "brain.example"})
    bearer = {"authorization": f"Bearer {TOKEN}", "host": "brain.example:8501"}
    assert ask(told, headers=bearer).got_in


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "192.168.1.2:8501", "[::2]", "", "a@127.0.0.1"],
)
def test_a_name_pointed_at_this_machine_reaches_nothing(host) -> None:
    """DNS rebinding: a page elsewhere makes its own name mean 127.0.0.1."""
    for kind in ("http", "websocket"):
        answer = here_only("/_stcore/stream", kind=kind, headers={"host": host})
        assert not answer.got_in, host


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "localhost"])
def test_alone_on_this_machine_nothing_is_asked(host) -> None:
    for kind in ("http", "websocket"):
        assert here_only(kind=kind, headers={"host": host}).got_in


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host"])
def test_a_proxy_before_a_server_for_this_machine_alone_is_told(name) -> None:
    answer = here_only(headers={**PAGE, name: "203.0.113.9"})
    assert not answer.got_in
    assert "--allow-host" in answer.text


@pytest.mark.parametrize(
    "ends", [{"server": ("192.168.1.2", 8501)}, {"client": OUTSIDE}, {"client": None}]
)
def test_a_server_that_listens_otherwise_than_it_was_told_is_closed(ends) -> None:
    """uvicorn with an address of its own: the settings say loopback, the connection does not."""
    assert not here_only(**ends).got_in


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "null", "http://127.0.0.1:8502"]
)
def test_no_page_elsewhere_may_open_a_session_or_change_anything(origin) -> None:
    for options in ({"kind": "websocket"}, {"method": "PUT"}, {"method": "POST"}):
        assert not here_only(headers={"origin": origin}, **options).got_in
    assert here_only(headers={"origin": "http://127.0.0.1:8501"}, kind="websocket").got_in


def test_behind_a_proxy_the_page_s_name_is_streamlit_s_host() -> None:
    """Streamlit compares Origin with Host, where a proxy may put a name of its own."""
    door = read("127.0.0.1", {**SHARED, "FNPRUNE_ALLOW_HOST": "brain.example"})
    headers = {
        "authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8501",
        "origin": "https://brain.example",
    }  # fmt: skip
    answer = ask(door, "/_stcore/stream", kind="websocket", headers=headers)
    (scope,) = answer.inside.scopes
    assert dict(scope["headers"])[b"host"] == b"brain.example"


def test_health_is_for_this_machine_alone(shared) -> None:
    here_ends = {"server": ("127.0.0.1", 8501), "client": ("127.0.0.1", 1)}
    own = {"host": "127.0.0.1:8501"}
    assert ask(shared, "/_stcore/health", headers=own, **here_ends).got_in
    assert not ask(shared, "/_stcore/health").got_in
    assert not ask(shared, "/_stcore/health", method="POST", headers=own, **here_ends).got_in
    through_proxy = {**own, "x-forwarded-for": "203.0.113.9"}
    assert not ask(shared, "/_stcore/health", headers=through_proxy, **here_ends).got_in


def test_a_visit_has_a_cookie_of_its_own_that_nobody_else_can_write() -> None:
    door = read("127.0.0.1", {})
    ends = {"server": ("127.0.0.1", 8501), "client": ("127.0.0.1", 50_000)}

    def visit(**cookies: str):
        text = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = ask(door, headers={**PAGE, "host": "127.0.0.1:8501", "cookie": text}, **ends)
        return answer.cookie("fnprune_visit_8501")

    first, second = visit(), visit()
    assert len(visits.id_of({"fnprune_visit_8501": first.value}, door)) == 32
    assert first.value != second.value
    assert (first["httponly"], first["samesite"], first["secure"]) == (True, "Lax", "")
    assert visit(a="b", fnprune_visit_8501=first.value) is None
    own, mac = first.value.split(".")
    of_another_server = visits.issued(read("127.0.0.1", {}))
    for forged in ("mine", own, f"{own}.", f"{second.value[:32]}.{mac}", "ü", of_another_server):
        assert visits.id_of({"fnprune_visit_8501": forged}, door) == "", forged
    assert visit(fnprune_visit_8501="mine").value != "mine"


PICTURE = "/_fnprune/atlases/0123456789abcdef/networks.webp?networks=1&z=9.01&solid=0.4"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "cors",
            "origin": "https://evil.example",
        },
        {
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
        },
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"referer": "http://localhost:3000/page"},
    ],
)
def test_no_page_elsewhere_has_a_picture_drawn_or_a_file_sent(headers) -> None:
    """A page that anyone opens could have a private server draw at 2.2 s a picture."""
    for path in (PICTURE, "/app/static/icon.png", "/media/0123.png"):
        assert not here_only(path, headers=headers).got_in, path


def test_our_own_pages_and_links_from_elsewhere_are_let_in() -> None:
    own = {"sec-fetch-site": "same-origin", "referer": "http://127.0.0.1:8501/"}
    typed, old = {"sec-fetch-site": "none"}, {"referer": "http://127.0.0.1:8501/"}
    for headers in (own, typed, old, {}):
        assert here_only(PICTURE, headers=headers).got_in
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert here_only("/atlas", headers={**link, "sec-fetch-dest": "document"}).got_in
    assert not here_only("/atlas", headers={**link, "sec-fetch-dest": "iframe"}).got_in
    assert not here_only("/atlas", headers={**link, "sec-fetch-mode": "cors"}).got_in


def test_files_are_offered_to_no_page_elsewhere(monkeypatch) -> None:
    async def offered(inside, scope, receive, send) -> None:
        inside.scopes.append(scope)
        headers = [(b"access-control-allow-origin", b"*")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    monkeypatch.setattr(Inside, "__call__", offered)
    answer = here_only("/app/static/icon.png")
    assert answer.got_in
    assert answer.header("access-control-allow-origin") == ""
    assert answer.header("cross-origin-resource-policy") == "same-origin"


@pytest.mark.parametrize(
    ("options", "n_waits"),
    [
        ({"headers": {"authorization": "Bearer wrong"}}, 1),
        ({"headers": {"authorization": "token wrong"}}, 1),
        ({"headers": {"cookie": "fnprune_pass_8501=wrong"}}, 1),
        ({"path": "/?fnprune_token=wrong"}, 1),
        ({"path": "/_stcore/stream?fnprune_token=wrong", "kind": "websocket"}, 1),
        ({"path": "/_fnprune/enter", "method": "POST", "body": b"fnprune_token=wrong"}, 1),
        ({}, 0),
        ({"headers": {"authorization": f"Bearer {TOKEN}"}}, 0),
    ],
)
def test_every_wrong_token_waits_however_it_comes(shared, monkeypatch, options, n_waits) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(guard.asyncio, "sleep", sleep)
    ask(shared, options.pop("path", "/"), **options)
    assert len(waits) == n_waits


def test_many_wrong_tokens_wait_for_one_another(shared, monkeypatch) -> None:
    """More connections at once do not make guessing faster."""
    monkeypatch.setattr(guard, "_WRONG_S", 0.02)
    at_once, most = 0, 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await sleep(seconds)
        at_once -= 1

    monkeypatch.setattr(guard.asyncio, "sleep", counted)
    door = Guard(Inside(), door=shared)
    headers = [(b"host", b"192.168.1.2"), (b"authorization", b"Bearer wrong")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": OUTSIDE}

    async def nothing(message: object = None) -> dict[str, Any]:
        return {"type": "http.request"}

    async def all_at_once() -> None:
        await asyncio.gather(*(door(dict(scope), nothing, nothing) for _ in range(60)))

    asyncio.run(all_at_once())
    assert most == guard._N_WRONG


@pytest.mark.parametrize(("piece", "n_pieces"), [(b"x", 3), (b"x" * 1000, 5)])
def test_a_body_that_drips_is_given_up(monkeypatch, piece, n_pieces) -> None:
    """Each piece came in time, and all together never: one second more for what is fast enough."""
    monkeypatch.setattr(patience, "BODY_S", 0.25)
    monkeypatch.setattr(patience, "SLOWEST", 10_000)

    async def slowly() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def read() -> int:
        receive = patience.within_time(slowly)
        n = 0
        while (await receive())["type"] == "http.request":
            n += 1
            if n == 5:
                break
        return n

    assert (asyncio.run(read()) == 5) == (n_pieces == 5)


@pytest.mark.parametrize(
    ("variables", "scheme", "headers", "is_secure"),
    [
        ({}, "https", {}, True),
        ({}, "http", {"x-forwarded-proto": "https"}, False),
        # uvicorn believes a proxy on this machine, and sets the scheme by what it says.
        ({}, "https", {"x-forwarded-proto": "https"}, False),
        ({"FNPRUNE_TRUST_PROXY": "1"}, "http", {"x-forwarded-proto": "https"}, True),
        ({"FNPRUNE_TRUST_PROXY": "1"}, "http", {"x-forwarded-proto": "https, http"}, True),
        ({"FNPRUNE_TRUST_PROXY": "1"}, "http", {"x-forwarded-proto": "http, https"}, False),
        ({"FNPRUNE_TRUST_PROXY": "1"}, "http", {"x-forwarded-proto": "http"}, False),
        ({"FNPRUNE_TRUST_PROXY": "1"}, "http", {}, False),
    ],
)
def test_cookies_are_secure_where_the_request_was(variables, scheme, headers, is_secure) -> None:
    door = read("0.0.0.0", {**SHARED, **variables})
    answer = ask(door, f"/?fnprune_token={TOKEN}", scheme=scheme, headers={**PAGE, **headers})
    assert bool(answer.cookie("fnprune_pass_8501")["secure"]) is is_secure


def test_every_answer_says_what_a_browser_may_do_with_it(shared) -> None:
    for answer in (here_only(headers=PAGE), ask(shared, headers=PAGE), ask(shared, "/media/x")):
        assert answer.header("referrer-policy") == "same-origin"
        assert answer.header("x-content-type-options") == "nosniff"
        policy = answer.header("content-security-policy")
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "http:" not in policy
        assert "https:" not in policy
        assert "*" not in policy


def test_the_host_cannot_write_the_policy(shared) -> None:
    answer = ask(shared, headers={**PAGE, "host": "x; img-src *"})
    assert "img-src *" not in answer.header("content-security-policy")


def test_a_visit_is_told_that_a_guard_let_it_in(monkeypatch) -> None:
    monkeypatch.setenv("FNPRUNE_TOKEN", TOKEN)
    door = here.door()
    answer = ask(
        door, headers={"host": "127.0.0.1", PASSED_HEADER: "forged"},
        server=("127.0.0.1", 1), client=("127.0.0.1", 1),
    )  # fmt: skip
    (scope,) = answer.inside.scopes
    values = [v.decode() for k, v in scope["headers"] if k.decode() == PASSED_HEADER]
    assert len(values) == 1
    assert was_passed({PASSED_HEADER: values[0]})
    assert not was_passed({PASSED_HEADER: "forged"})
    assert not was_passed({})
