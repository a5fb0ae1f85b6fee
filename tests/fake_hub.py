"""A small Hugging Face hub on this machine, which serves folders as models.

``python tests/fake_hub.py FOLDER`` serves each folder in FOLDER as ``lab/NAME`` and prints the
`HF_ENDPOINT` to be set.
"""

import hashlib
import json
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What is served: folders by ``owner/name``, ids that are gated, and what was asked for.

    What is pushed lies in `pushed`, by ``owner/name`` and file; only `writer` may push.
    """

    folders: dict[str, Path] = field(default_factory=dict)
    pushed: dict[str, dict[str, bytes]] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    writer: str = "a-token"
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""
    chunk_seconds: float = 0.0

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a path."""
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        is_info = parts[:2] == ["api", "models"]
        if is_info:
            parts = parts[2:]
        repository, rest = "/".join(parts[:2]), parts[2:]
        folder = self.folders.get(repository)
        if folder is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if rest[1:2] and rest[1] not in ("main", "v1", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if is_info:
            files = [path for path in sorted(folder.iterdir()) if path.is_file()]
            facts = [{"rfilename": each.name, "size": each.stat().st_size} for each in files]
            info = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": facts}
            return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()
        if repository in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        file = folder / rest[-1]
        if not file.is_file():
            return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
        content = file.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, content

    def take(self, path: str, body: bytes, token: str) -> tuple[int, Any]:
        """Return status and answer to what is written: a repository, a question, a commit."""
        if token != f"Bearer {self.writer}":
            return 403, {"error": "you may not write here"}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            is_there = name in self.made
            self.made.setdefault(name, asked)
            return (409 if is_there else 200), {"url": f"{self.endpoint}/{name}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        name = "/".join(path.split("/")[3:5])
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in files
            ]
            return 200, {"files": modes}
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                value = line["value"]
                content = b64decode(value["content"])
                self.pushed.setdefault(name, {})[value["path"]] = content
        url = f"{self.endpoint}/{name}/commit/{COMMIT}"
        return 200, {"success": True, "commitOid": COMMIT, "commitUrl": url}


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    length = request.headers.get("Content-Length")
    if length is not None:
        return request.rfile.read(int(length))
    content = b""
    while size := int(request.rfile.readline(), 16):  # in chunks
        content += request.rfile.read(size)
        request.rfile.readline()
    return content


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _send(self, *, is_head: bool) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for start in range(0, 0 if is_head else len(body), 1_000_000):
                self.wfile.write(body[start : start + 1_000_000])
                time.sleep(hub.chunk_seconds)

        def do_HEAD(self) -> None:
            self._send(is_head=True)

        def do_GET(self) -> None:
            self._send(is_head=False)

        def do_POST(self) -> None:
            hub.asked.append(f"POST {self.path}")
            token = self.headers.get("Authorization", "")
            status, answer = hub.take(self.path, _body_of(self), token)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serving(hub: FakeHub, port: int = 0) -> Iterator[FakeHub]:
    """Serve a hub on this machine while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def instead_of_the_hub(cache: Path) -> Iterator[FakeHub]:
    """Have this process ask an empty fake hub, with a cache of its own."""
    with serving(FakeHub()) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
        yield hub


if __name__ == "__main__":
    served = Path(sys.argv[1])
    models = {f"lab/{path.name}": path for path in served.iterdir() if path.is_dir()}
    with serving(FakeHub(folders=models, chunk_seconds=0.02), port=8899) as running:
        sys.stdout.write(f"HF_ENDPOINT={running.endpoint}\n")
        sys.stdout.flush()
        threading.Event().wait()
