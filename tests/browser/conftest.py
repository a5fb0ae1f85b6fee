"""A person at a browser, and the server that most tests of this folder share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Browser, opened, served
from materials import Materials

from app.shell.caching import CACHES
from fnprune_core.atlas import cortex
from fnprune_core.storage.workspace import Workspace


@pytest.fixture(scope="session")
def server(made, tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """The tiny example with its cortex laid out, served: the workspace and the address."""
    folder = tmp_path_factory.mktemp("browser")
    root = shutil.copytree(made.root / "workspace", folder / "workspace")
    cortex.lay_out(Workspace(root), made.atlas)
    # Tiny models are faster on one thread.
    with served(root, log=folder / "server.log", OMP_NUM_THREADS="1") as url:
        yield root, url


@pytest.fixture
def placed(server, made, monkeypatch) -> Materials:
    """The example with its cortex laid out, in the workspace of the server."""
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(server[0]))
    CACHES.clear()
    return made


@pytest.fixture
def browser(need_chromium, server) -> Iterator[Browser]:
    """A new visitor of the server."""
    with opened(need_chromium, server[1]) as person:
        yield person
