"""The bound on open websockets: of one visit, of all, and room again once they have closed."""

import asyncio
from typing import Any

from app.doors import crowd, visits
from app.doors.guard import Guard
from app.doors.settings import read

DOOR = read("127.0.0.1", {})


class Streams:
    """What is guarded: accepts sockets, and keeps them open until they are let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await self.let_go.wait()


def scope_of(kind: str, path: str, visit: str) -> dict[str, Any]:
    """Return what a browser of this visit asks for."""
    cookie = f"{visits.cookie_name()}={visits.issued(DOOR, visit)}"
    headers = {"host": "127.0.0.1:8501", "cookie": cookie, "accept": "text/html"}
    return {
        "type": kind, "path": path, "query_string": b"", "method": "GET", "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 8501), "client": ("127.0.0.1", 50_000),
    }  # fmt: skip


async def asked_for_page(guard: Guard, visit: str) -> str:
    """Return the page that a visit is answered; nothing where it came to the app itself."""
    sent: list[dict[str, Any]] = []

    async def send(message) -> None:
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    await guard(scope_of("http", "/atlas", visit), receive, send)
    return b"".join(message.get("body", b"") for message in sent).decode()


async def opened(guard: Guard, visit: str) -> tuple[str, asyncio.Task[None]]:
    """Open a socket of a visit; return what the server answered, and what keeps it open."""
    scope = scope_of("websocket", "/_stcore/stream", visit)
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def send(message) -> None:
        answers.put_nowait(message["type"])

    async def receive():
        return await asyncio.Event().wait()

    task = asyncio.create_task(guard(scope, receive, send))
    return await answers.get(), task


def test_a_visit_that_opens_too_many_sockets_is_refused_and_others_are_not() -> None:
    async def flood() -> None:
        streams = Streams()
        guard = Guard(streams, door=DOOR)
        held = [await opened(guard, "one") for _ in range(crowd.MOST_OF_A_VISIT + 3)]
        answers = [answer for answer, _ in held]
        assert answers.count("websocket.accept") == crowd.MOST_OF_A_VISIT
        assert answers[-3:] == ["websocket.close"] * 3
        assert (await opened(guard, "another"))[0] == "websocket.accept"
        streams.let_go.set()
        await asyncio.gather(*(task for _, task in held))
        assert (await opened(guard, "one"))[0] == "websocket.accept"

    asyncio.run(flood())


def test_one_tab_too_many_is_told_in_a_page() -> None:
    """Its socket would be refused, and the page wait for it without a word."""

    async def flood() -> None:
        streams = Streams()
        guard = Guard(streams, door=DOOR)
        tasks = [(await opened(guard, "one"))[1] for _ in range(crowd.MOST_OF_A_VISIT)]
        text = await asked_for_page(guard, "one")
        assert "at most 48 tabs" in text
        streams.let_go.set()
        await asyncio.gather(*tasks)
        assert await asked_for_page(guard, "one") == ""

    asyncio.run(flood())


def test_all_visits_together_are_bounded() -> None:
    async def flood() -> None:
        guard = Guard(Streams(), door=DOOR)
        answers = [(await opened(guard, f"visit{n}"))[0] for n in range(crowd.MOST + 2)]
        assert answers[crowd.MOST :] == ["websocket.close"] * 2
        assert set(answers[: crowd.MOST]) == {"websocket.accept"}

    asyncio.run(flood())
