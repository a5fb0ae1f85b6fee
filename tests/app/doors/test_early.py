"""What is imported as soon as the server is up, and what waits until it is used."""

import subprocess
import sys
import threading
from types import SimpleNamespace

from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.doors import early
from app.shell.images import routes as image_routes


def test_early_imports_hold_what_the_first_page_needs_and_no_model_code() -> None:
    code = (
        "from app.doors import early; early.import_early().join(); import sys\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert loaded >= set(early.MODULES)
    assert "torch" in loaded
    assert "transformers.modeling_utils" not in loaded  # takes seconds, and only a model needs it


def test_what_must_be_drawn_waits_for_the_early_imports(fresh, monkeypatch) -> None:
    """Two threads that imported scipy at once were answered by an error of the server's."""
    may_end = threading.Event()
    imports = early._Imports()
    monkeypatch.setattr(early, "_IMPORTS", imports)
    monkeypatch.setattr(early, "MODULES", ("app.doors.early",))
    waiting = SimpleNamespace(import_module=lambda name: may_end.wait(30))
    monkeypatch.setattr(early, "importlib", waiting)
    early.import_early()
    client = TestClient(Starlette(routes=image_routes.routes()))
    answers: list[int] = []
    paths = [f"/_fnprune/atlases/{'0' * 16}/{name}" for name in ("anatomy.nii.gz", "units.nii.gz")]
    asking = [
        threading.Thread(target=lambda path=path: answers.append(client.get(path).status_code))
        for path in paths
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(timeout=0.3)
    assert answers == []
    may_end.set()
    for thread in asking:
        thread.join(timeout=30)
    assert answers == [404, 404]


def test_nobody_waits_for_imports_that_were_not_started_or_are_its_own(monkeypatch) -> None:
    imports = early._Imports()
    imports.wait()
    monkeypatch.setattr(early, "MODULES", ("x",))
    monkeypatch.setattr(early.importlib, "import_module", lambda name: imports.wait())
    imports.begin().join(timeout=30)
    imports.wait()
