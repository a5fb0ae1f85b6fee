"""Strangers at a real server: a raw websocket client without Origin and without token."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import ROOT, serving
from raw_client import RawServer

TOKEN = "a-token-of-enough-letters"
EVERYWHERE = "--server.address=0.0.0.0"
STREAMLIT = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
#: Every way of ours to start, each told to listen everywhere.
STARTS = {
    "streamlit": lambda port: [*STREAMLIT, EVERYWHERE, f"--server.port={port}"],
    "fnprune": lambda port: [
        *(sys.executable, "-m", "fnprune_core", "app"),
        *("--address", "0.0.0.0", "--port", str(port)),
    ],
    "container": lambda port: [*STREAMLIT, f"--server.port={port}"],
}
FILES = (
    "/", "/atlas", "/index.html", "/favicon.png", "/manifest.json", "/static/js/index.js",
    "/app/static/icon.png", "/app/static/niivue/niivue.umd.js",
    "/_fnprune/atlases/0123456789abcdef/anatomy.nii.gz", "/media/0123456789abcdef.png",
    "/component/x/index.html",
    "/_stcore/host-config", "/_stcore/allowed-message-origins", "/_stcore/metrics",
    "/_stcore/upload_file/session/file", "/_stcore/bidi-components/x/index.js",
    "/_stcore/agent/openapi.json", "/_stcore/script-health-check", "/_stcore/stream",
    "/auth/login", "/oauth2callback", "/_fnprune/login", "//", "/../../etc/passwd", "/%2e%2e/etc",
)  # fmt: skip
ORIGINS = ({}, {"Origin": "https://evil.example"}, {"Origin": "null"})


@contextmanager
def started(way: str, folder: Path) -> Iterator[RawServer]:
    """A server that was started in one of the ways, and printed its link."""
    variables = {"FNPRUNE_TOKEN": TOKEN, "FNPRUNE_WORKSPACE": str(folder / "workspace")}
    if way == "container":
        variables["STREAMLIT_SERVER_ADDRESS"] = "0.0.0.0"
    log = folder / "log"
    with serving(STARTS[way], cwd=ROOT, log=log, **variables) as url:
        assert f"fnprune_token={TOKEN}" in log.read_text(), "the link is printed at start"
        yield RawServer(port=urlsplit(url).port or 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RawServer]:
    with started("streamlit", tmp_path_factory.mktemp("doors")) as running:
        yield running


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_raw_client_gets_nothing_but_403(server) -> None:
    for headers in ORIGINS:
        assert server.handshake(**headers) == 403
        assert server.handshake("/anything", **headers) == 403
        for path in FILES:
            assert server.status(path, **headers) == 403, path
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        assert server.status("/_stcore/upload_file/session/file", method=method) == 403
        assert server.status("/_stcore/agent/interact", method=method) == 403
    assert server.handshake(**bearer(TOKEN + "x")) == 403
    assert server.status("/", **bearer(TOKEN[:-1])) == 403


@pytest.mark.parametrize("way", [way for way in STARTS if way != "streamlit"])
def test_every_way_to_start_has_the_guard(way, tmp_path) -> None:
    """Which is the same in all: what it answers is tried on one of them alone."""
    with started(way, tmp_path) as running:
        for headers in ORIGINS:
            assert running.handshake(**headers) == 403
        assert [running.status(path) for path in ("/", "/_stcore/metrics")] == [403, 403]
        assert running.status("/", **bearer()) == 200
        assert running.handshake(**bearer()) == 101


#: Streamlit's and ours, with the methods that each takes.
_ROUTES = """
import json
from app.main import streamlit_app
streamlit_app._runtime = streamlit_app._create_runtime()
for route in streamlit_app._build_starlette_app().routes:
    print(json.dumps([route.path, sorted(getattr(route, "methods", None) or ["GET"])]))
"""
#: What is known to be served. A new one is looked at before it is added here.
_KNOWN = {
    "/start", "/_fnprune", "/media", "/component", "/app", "/auth", "/oauth2callback", "",
    "/_stcore/health", "/_stcore/metrics", "/_stcore/host-config", "/_stcore/upload_file",
    "/_stcore/bidi-components", "/_stcore/stream", "/_stcore/agent",
}  # fmt: skip


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, list[str]]]:
    done = subprocess.run(
        [sys.executable, "-c", _ROUTES], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line[:1] == "["]


def test_every_route_is_known_and_only_health_is_open(server, routes) -> None:
    begins = {re.match(r"(/_stcore/[^/]+|/[^/]*|)", path)[0] for path, _ in routes}
    assert begins == _KNOWN
    for path, methods in routes:
        for method in methods:
            is_open = path == "/_stcore/health" and method in ("GET", "HEAD")
            status = server.status(re.sub(r"{[^}]*}", "7", path) or "/", method=method)
            assert status == (200 if is_open else 403), (method, path)


def test_no_program_drives_the_app(server) -> None:
    """Streamlit's agent API is off: it says so to who is let in, and to nobody else."""
    assert server.status("/_stcore/agent/interact", method="POST", **bearer()) == 403


def test_with_the_token_it_gets_the_app(server) -> None:
    assert server.status("/", **bearer()) == 200
    assert server.status("/app/static/icon.png", **bearer()) == 200
    assert server.status("/_fnprune/atlases/0123456789abcdef/anatomy.nii.gz", **bearer()) == 404
    drawn = "".join(server.session(**bearer()))
    assert "Functional networks of a language model" in drawn


def test_the_cookie_of_the_printed_link_opens_the_session(server) -> None:
    head = server.head(f"/?fnprune_token={TOKEN}", Accept="text/html")
    assert head.startswith("HTTP/1.1 303")
    assert re.search(r"location: /\r\n", head)
    found = re.search(r"set-cookie: (fnprune_pass_\d+)=(\w+)", head)
    assert found is not None
    assert server.handshake(Cookie=f"{found[1]}={found[2]}") == 101
    assert server.handshake(Cookie=f"{found[1]}={found[2][:-1]}") == 403


def test_health_is_all_that_a_container_can_ask(server) -> None:
    """The check of the Dockerfile asks from inside; whoever comes through a proxy does not."""
    assert server.status("/_stcore/health") == 200
    assert server.status("/_stcore/health", **{"X-Forwarded-For": "203.0.113.9"}) == 403
    outside = next(own_addresses(), None)
    if outside is None:
        pytest.skip("this machine has no address but loopback")
    with socket.create_connection((outside, server.port), timeout=10) as connection:
        line = f"GET /_stcore/health HTTP/1.1\r\nHost: {outside}\r\nConnection: close\r\n\r\n"
        connection.sendall(line.encode())
        assert connection.recv(12) == b"HTTP/1.1 403"


def own_addresses() -> Iterator[str]:
    """Give this machine's address in a network, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return
        address = probe.getsockname()[0]
    if not address.startswith("127."):
        yield address


def test_on_loopback_nothing_is_asked_and_no_other_name_answered(tmp_path) -> None:
    variables = {"FNPRUNE_WORKSPACE": str(tmp_path / "workspace"), "FNPRUNE_TOKEN": ""}
    log = tmp_path / "log"
    with serving(
        lambda port: [*STREAMLIT, f"--server.port={port}"], cwd=ROOT, log=log, **variables
    ) as url:
        port = urlsplit(url).port or 0
        server = RawServer(port=port)
        assert f"http://127.0.0.1:{port}/\n" in log.read_text()
        assert "fnprune_token" not in log.read_text()
        assert server.status("/") == 200
        assert server.handshake(Origin=f"http://127.0.0.1:{port}") == 101
        assert server.handshake(Origin="https://evil.example") == 403
        assert server.handshake(Host="evil.example") == 403
        assert server.status("/", Host="evil.example") == 403
        assert "Functional networks" in "".join(server.session())
        server.says(b"hello", is_text=True)
        assert "Traceback" not in log.read_text()


#: What an older way of starting does: runs the script, and knows no application with a guard.
_UNGUARDED = """
import sys
from streamlit import config
from streamlit.web import bootstrap
config._main_script_path = "app/main.py"
bootstrap.load_config_options({"server.address": "0.0.0.0", "server.port": int(sys.argv[1])})
bootstrap.run("app/main.py", False, [], {"server.address": "0.0.0.0"})
"""


def test_the_script_refuses_to_run_where_no_guard_let_the_visit_in(tmp_path) -> None:
    variables = {"FNPRUNE_WORKSPACE": str(tmp_path / "w"), "PYTHONPATH": str(ROOT)}
    with serving(
        lambda port: [sys.executable, "-c", _UNGUARDED, str(port)],
        cwd=ROOT, log=tmp_path / "log", **variables,
    ) as url:  # fmt: skip
        drawn = "".join(RawServer(port=urlsplit(url).port or 0).session())
    assert "without fnprune" in drawn
    assert "Functional networks" not in drawn


def test_settings_that_let_nobody_in_stop_the_start() -> None:
    done = subprocess.run(
        [*STREAMLIT, EVERYWHERE, "--server.port=0"],
        cwd=ROOT, env={**os.environ, "FNPRUNE_TOKEN": "short"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "FNPRUNE_TOKEN has 5 characters" in done.stderr
    assert "Traceback" not in done.stderr
