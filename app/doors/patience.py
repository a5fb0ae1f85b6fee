"""How long a connection may take to say what it wants: uvicorn waits without end.

A client that opens connections and sends little, or nothing, would keep them all.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import Message, Receive
from uvicorn.protocols.http.auto import AutoHTTPProtocol

#: For the head of a request. A connection that waits is closed between one and two of these.
HEAD_S = 15.0
#: For the body, and one second more for each `SLOWEST` bytes that came.
BODY_S, SLOWEST = 30.0, 1000


@contextmanager
def limited() -> Iterator[None]:
    """Give connections that are opened meanwhile a time limit for the head of each request.

    Streamlit starts uvicorn, whose settings have no such limit: its class of connections is told.
    """
    protocol: Any = AutoHTTPProtocol
    original = protocol.connection_made

    def connection_made(connection: Any, transport: asyncio.Transport) -> None:
        original(connection, transport)
        _look_again(connection, transport, before=connection.cycle)

    protocol.connection_made = connection_made
    try:
        yield
    finally:
        protocol.connection_made = original


def _look_again(connection: Any, transport: asyncio.Transport, *, before: Any) -> None:
    """Close a connection that still waits for the request that it waited for before."""

    def look() -> None:
        if transport.is_closing() or transport.get_protocol() != connection:
            return  # gone, or a websocket by now, which is pinged
        last = connection.cycle
        is_answered = last is None or last.response_complete
        if is_answered and last is before:
            transport.abort()
            return
        _look_again(connection, transport, before=last if is_answered else connection)

    asyncio.get_running_loop().call_later(HEAD_S, look)


def within_time(receive: Receive) -> Receive:
    """Return `receive` that calls a client gone whose request's body comes too slowly."""
    clock = asyncio.get_running_loop().time
    waited_s, n_bytes, is_whole = 0.0, 0, False

    async def received() -> Message:
        nonlocal waited_s, n_bytes, is_whole
        if is_whole:  # what comes now is that the client has gone, whenever it does
            return await receive()
        began = clock()
        try:
            async with asyncio.timeout(max(BODY_S + n_bytes / SLOWEST - waited_s, 0.0)):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        finally:
            waited_s += clock() - began
        n_bytes += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        return message

    return received
