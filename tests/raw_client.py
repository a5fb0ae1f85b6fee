"""A client that is no browser: speaks HTTP and websockets by hand, and sends what it likes."""

import base64
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawServer:
    """A server at a port of this machine."""

    port: int

    def _asked(self, line: str, headers: Mapping[str, str]) -> tuple[socket.socket, int, str]:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        given = {"Host": f"127.0.0.1:{self.port}", **headers}
        text = "\r\n".join([line, *(f"{name}: {value}" for name, value in given.items())])
        connection.sendall(f"{text}\r\n\r\n".encode("latin-1"))
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(1)
            assert part, f"no answer to {line}"
            head += part
        return connection, int(head.split()[1]), head.decode("latin-1")

    def status(self, path: str, *, method: str = "GET", **headers: str) -> int:
        """Return the status of a request."""
        more = {"Connection": "close", "Content-Length": "0"}
        connection, status, _ = self._asked(f"{method} {path} HTTP/1.1", {**more, **headers})
        connection.close()
        return status

    def head(self, path: str, **headers: str) -> str:
        """Return the head of an answer."""
        more = {"Connection": "close"}
        connection, _, head = self._asked(f"GET {path} HTTP/1.1", {**more, **headers})
        connection.close()
        return head

    def handshake(self, path: str = "/_stcore/stream", **headers: str) -> int:
        """Return the status of a websocket's handshake, without Origin unless it is given."""
        connection, status = self._shaken(path, headers)
        connection.close()
        return status

    def session(self, **headers: str) -> list[str]:
        """Open a session as a page does, and return what its first run draws."""
        connection, status = self._shaken("/_stcore/stream", headers)
        assert status == 101
        message = BackMsg()
        message.rerun_script.query_string = ""
        connection.sendall(_frame(message.SerializeToString()))
        drawn: list[str] = []
        while True:
            received = ForwardMsg.FromString(_receive(connection))
            drawn.append(str(received))
            if received.WhichOneof("type") == "script_finished":
                connection.close()
                return drawn

    def says(self, content: bytes, *, is_text: bool) -> None:
        """Open a socket, send one message, and wait until the server closes it."""
        connection, status = self._shaken("/_stcore/stream", {})
        assert status == 101
        connection.sendall(_frame(content, kind=1 if is_text else 2))
        while connection.recv(4096):
            pass
        connection.close()

    def _shaken(self, path: str, headers: Mapping[str, str]) -> tuple[socket.socket, int]:
        shake = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }
        connection, status, _ = self._asked(f"GET {path} HTTP/1.1", {**shake, **headers})
        return connection, status


def _frame(content: bytes, *, kind: int = 2) -> bytes:
    """Return a masked frame of a client, by default a binary one."""
    mask = os.urandom(4)
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
    return (
        bytes([0x80 | kind]) + length + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(content))
    )


def _receive(connection: socket.socket) -> bytes:
    """Return the content of the next binary message, of one or more frames."""
    content = b""
    while True:
        first, second = _exactly(connection, 2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(_exactly(connection, 2 if size == 126 else 8), "big")
        part = _exactly(connection, size)
        assert first & 0x0F != 8, "the server closed the session"
        if first & 0x0F in (0, 2):
            content += part
            if first & 0x80:
                return content


def _exactly(connection: socket.socket, n: int) -> bytes:
    content = b""
    while len(content) < n:
        part = connection.recv(n - len(content))
        assert part, "the connection ended"
        content += part
    return content
