"""Connections that say nothing, little, or too slowly, at uvicorn as Streamlit starts it."""

import asyncio
import socket
from contextlib import suppress

import pytest
import uvicorn

from app.doors import patience

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def answering(scope, receive, send) -> None:
    """Answer late, so that an answer is under way when a connection is looked at."""
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"whole"})


async def _is_let_go(say: bytes, *, drip: bytes = b"") -> tuple[bool, bytes]:
    """Say something, then drip; return whether the server ended the connection, and its answer."""
    with patience.limited(), socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(answering, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(say)
        end = asyncio.get_running_loop().time() + 1.5
        answer, is_ended = b"", False
        while asyncio.get_running_loop().time() < end and not is_ended:
            with suppress(OSError):
                writer.write(drip)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    try:
                        part = await reader.read(1000)
                    except OSError:
                        part = b""
                    answer, is_ended = answer + part, not part
        writer.close()
        server.should_exit = True
        await serving
        return is_ended, answer


@pytest.mark.parametrize(
    ("say", "drip"),
    [
        (b"", b""),  # half-open
        (HEAD, b""),
        (HEAD, b"X"),  # slowloris
        (HEAD + b"\r\n", b"G"),  # a second request that never ends
    ],
)
def test_a_connection_that_asks_for_nothing_is_closed(monkeypatch, say, drip) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.2)
    is_ended, answer = asyncio.run(_is_let_go(say, drip=drip))
    assert is_ended
    assert (b"whole" in answer) == say.endswith(b"\r\n\r\n")


def test_an_answer_that_takes_longer_than_a_head_may_is_sent(monkeypatch) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.05)
    _, answer = asyncio.run(_is_let_go(HEAD + b"\r\n"))
    assert b"whole" in answer
