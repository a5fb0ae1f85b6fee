"""Uploaded files: bounded, each visit's own, never named, gone with the visit and the server."""

import errno
import gc
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import ROOT

from app.doors.reach import PathRefusedError, Reach, reach_of
from app.doors.settings import read
from app.doors.uploads import Uploads
from app.shell.text_choice import TextChoice
from fnprune_core.errors import SettingsError, StorageError, TextError
from fnprune_core.storage.workspace import Workspace


@pytest.fixture
def seconds() -> list[float]:
    return [0.0]


@pytest.fixture
def uploads(seconds):
    made = Uploads(limit_bytes=1000, clock=lambda: seconds[0])
    yield made
    made.close()


def reach(uploads: Uploads, visit: str, root: Path) -> Reach:
    """What a visit reaches on a shared server; the folder of uploads lies in an open root."""
    door = read("0.0.0.0", {"FNPRUNE_ALLOW_ROOT": str(uploads.folder.parent)})
    own = uploads.of_visit(visit)
    return reach_of(door, Workspace(root), uploads=uploads.folder, visit=own)


def test_upload_keeps_its_name_and_never_leaves_its_folder(uploads) -> None:
    path = uploads.store("a", "ein é 文 👩‍🔬.csv", b"text\nhello\n")
    assert path.name == "ein é 文 👩‍🔬.csv"
    assert uploads.of_visit("a").path in path.parents
    assert path.read_bytes() == b"text\nhello\n"
    assert uploads.store("a", path.name, b"text\nhello\n") == path
    assert uploads.store("a", path.name, b"text\nother\n") != path


@pytest.mark.parametrize(
    "name",
    ["../../evil.csv", "..\\evil.csv", "/etc/passwd", "..", ".", "", "a\0b.csv", "a\nb.csv",
     "\ud800.csv", "x" * 252 + ".csv", "é" * 126 + ".csv"],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_refused_in_words(uploads, name) -> None:
    """A long one and a zero byte ended in tracebacks, and a path lost its folders."""
    with pytest.raises(SettingsError, match=r"The file's name .*Rename the file"):
        uploads.store("a", name, b"text")
    assert list(uploads.folder.glob("[!.]*")) == []


def test_uploads_are_bounded_and_those_long_unused_make_room(seconds) -> None:
    uploads = Uploads(limit_bytes=100, clock=lambda: seconds[0])
    first = uploads.store("a", "a.txt", b"a" * 60)
    second = uploads.store("b", "b.txt", b"b" * 40)
    with pytest.raises(StorageError, match="in use"):
        uploads.store("a", "c.txt", b"c" * 50)
    assert first.is_file()
    seconds[0] = 3000.0
    uploads.store("b", "b.txt", b"b" * 40)  # used again: it stays
    uploads.of_visit("a")
    seconds[0] = 3700.0
    third = uploads.store("a", "c.txt", b"c" * 50)
    assert (first.exists(), second.exists(), third.exists()) == (False, True, True)
    with pytest.raises(StorageError, match="in use"):
        uploads.store("a", "d.txt", b"d" * 101)
    uploads.close()


def test_an_upload_to_a_full_disk_is_told_and_leaves_no_part(uploads, monkeypatch) -> None:
    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(StorageError, match=r"^map\.nii could not be kept here: No space") as told:
        uploads.store("one", "map.nii", b"12345")
    assert str(uploads.folder) not in str(told.value)
    assert [path for path in uploads.folder.rglob("*.nii")] == []
    monkeypatch.undo()
    assert uploads.store("one", "map.nii", b"12345").read_bytes() == b"12345"


def test_no_visit_reads_what_another_has_uploaded(uploads, tmp_path) -> None:
    """A refused path named the folder of all uploads, and typing it loaded them."""
    path = uploads.store("a", "secret.txt", b"a secret")
    mine, other = reach(uploads, "a", tmp_path), reach(uploads, "b", tmp_path)
    assert TextChoice(sources=(str(path),)).documents(mine)[0].text == "a secret"
    for tried in (path, path.parent, path.parents[1], uploads.folder, uploads.folder.parent):
        with pytest.raises(PathRefusedError) as refused:
            other.to_read(str(tried))
        assert str(uploads.folder) not in refused.value.hint
    with pytest.raises(PathRefusedError):
        other.to_read(f"{other.visit.path}/../{path.parents[1].name}")
    assert re.fullmatch("[0-9a-f]{32}", path.parents[1].name)
    assert path.parents[1] != other.visit.path


def test_what_is_wrong_with_an_upload_names_the_file_alone(uploads, tmp_path) -> None:
    for name, content in (("broken.jsonl", b"\xff\xfe{"), ("empty.txt", b"")):
        path = uploads.store("a", name, content)
        with pytest.raises(TextError) as wrong:
            TextChoice(sources=(str(path),)).documents(reach(uploads, "a", tmp_path))
        assert name in str(wrong.value)
        assert str(uploads.folder) not in str(wrong.value)


def test_a_visit_s_files_go_with_it_unless_a_job_needs_them(uploads, seconds) -> None:
    of_a, of_b = uploads.store("a", "a.txt", b"a"), uploads.store("b", "b.txt", b"b")
    held = uploads.of_visit("b")  # as the job of a visit holds it
    seconds[0] = 4000.0
    gc.collect()
    uploads.expire()
    assert (of_a.exists(), of_b.exists()) == (False, True)
    del held
    gc.collect()
    seconds[0] = 8000.0
    uploads.expire()
    assert list(uploads.folder.glob("[!.]*")) == []


def test_no_second_name_of_a_file_elsewhere_is_read(uploads, tmp_path) -> None:
    """A hard link in an open folder is the file itself: no link is seen that could be followed."""
    (tmp_path / "secret.txt").write_text("a secret")
    root = tmp_path / "root"
    (root / "corpus").mkdir(parents=True)
    (root / "corpus" / "linked.txt").hardlink_to(tmp_path / "secret.txt")
    door = read("0.0.0.0", {"FNPRUNE_ALLOW_ROOT": str(root)})
    reach = reach_of(door, Workspace(tmp_path / "workspace"), uploads=uploads.folder)
    for tried in (root / "corpus" / "linked.txt", root / "corpus", root):
        with pytest.raises(PathRefusedError, match="hard link"):
            reach.to_read(str(tried))
    (tmp_path / "secret.txt").unlink()
    assert reach.to_read(str(root)) == root


SERVER = """
import os, sys, uvicorn
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from app.doors import early, here, opening
early.MODULES = ()

@asynccontextmanager
async def lifespan(app):
    async with opening.announced(app) as state:
        here.uploads().store("a", "a.txt", b"a")
        yield state

class Server(uvicorn.Server):
    async def main_loop(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        await super().main_loop()

Server(uvicorn.Config(Starlette(lifespan=lifespan), port=0)).run()
"""


def test_a_server_takes_its_uploads_with_it(tmp_path) -> None:
    """Python tidies nothing up after SIGTERM; after SIGKILL the next server does."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}

    def serve(number: signal.Signals) -> list[Path]:
        command = [sys.executable, "-c", SERVER, str(int(number))]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=60)
        assert done.returncode == -number, done.stderr
        return list(folder.glob("fnprune-uploads-*/*/*/a.txt"))

    assert serve(signal.SIGTERM) == []
    [left] = serve(signal.SIGKILL)
    os.utime(left.parents[2], (1000, 1000))
    assert serve(signal.SIGTERM) == []
    assert list(folder.glob("fnprune-uploads-*")) == []
