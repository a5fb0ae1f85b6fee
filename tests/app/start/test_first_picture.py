"""Start: a server that was just started draws all of it before it can import torch."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import driving
import pytest
from streamlit.testing.v1 import AppTest

from app.shell import resources
from app.shell.images import kept
from app.start import ahead, signature_networks
from fnprune_core.atlas import cortex
from fnprune_core.errors import FnpruneError
from fnprune_core.example.ids import ExampleIds
from fnprune_core.storage.json_files import write_checked_json
from fnprune_core.storage.workspace import PICTURES

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "sklearn", "scipy.stats", "transformers", "matplotlib", "nilearn")
SCRIPT = """
import json, sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file("app/main.py", default_timeout=60).run()
assert not at.exception, at.exception
protos = [each.proto for each in at.get("bidi_component")]
drawn = {p.id.rpartition("-")[2]: json.loads(p.json or "{}") for p in protos}
print(json.dumps({
    "title": at.title[0].value,
    "poster": drawn["signature"]["poster"],
    "late": drawn["signature"]["late"],
    "live": len(drawn["live"]["names"]),
    "tiles": [tile["network"] for tile in drawn["gallery"]["tiles"]],
    "loaded": [name for name in sys.argv[1:] if name in sys.modules],
}))
"""


@pytest.fixture
def worked_example(fresh, example, monkeypatch):
    """A small atlas as the worked example; the signature shows two of its networks."""
    workspace = resources.workspace()
    cortex.lay_out(workspace, example.atlas)
    ids = ExampleIds(recording_id=example.recording, decomposition_id=example.atlas)
    write_checked_json(workspace.root / "example.json", asdict(ids))
    monkeypatch.setattr(signature_networks.network_page, "signature", lambda id: [0, 2])
    return example


@pytest.fixture
def shown_example(open_page, worked_example):
    """The example as a server shows it first, and so keeps what its first picture shows."""
    return open_page()


def test_start_needs_nothing_that_takes_seconds_to_import_once_it_was_drawn(shown_example) -> None:
    assert not shown_example.exception
    assert driving.drawn(shown_example, "signature")["late"]  # its picture is yet to be made
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *HEAVY],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["loaded"] == []
    assert found["title"] == "Functional networks of a language model"
    assert "networks=0.2" in found["poster"]
    assert not found["late"]
    assert found["tiles"] == list(range(6))
    assert found["live"] == 6


def test_start_is_drawn_ahead_once_with_all_its_pictures(worked_example, monkeypatch) -> None:
    assert ahead.draw() > 3
    folder = resources.workspace().root / PICTURES / worked_example.atlas
    names = {path.name for path in folder.rglob("*.*")}
    assert {f"{part}.json" for part in ahead.PARTS} <= names
    assert {f"network-{k}.webp" for k in range(6)} <= names
    assert {"anatomy.nii.gz", "network-0.nii.gz", "network-2.nii.gz"} <= names
    assert any(name.startswith("rendering-0-2-") for name in names)
    monkeypatch.setattr(AppTest, "from_file", lambda *args, **options: pytest.fail("drawn again"))
    assert ahead.draw() == 0


def test_what_could_not_be_drawn_ahead_is_told_and_nothing_wrong_is_kept(
    worked_example, monkeypatch
) -> None:
    class Visit:
        def run(self) -> None:
            """As where the page stops."""

    monkeypatch.setattr(AppTest, "from_file", lambda *args, **options: Visit())
    with pytest.raises(FnpruneError, match="signature, tiles, live"):
        ahead.draw()
    assert not any(kept.has_facts(worked_example.atlas, part) for part in ahead.PARTS)


def test_without_an_example_nothing_is_drawn_ahead(fresh) -> None:
    assert ahead.draw() == 0
