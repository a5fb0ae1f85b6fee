"""Shared fixtures."""

import gc
import os
from pathlib import Path

import pytest
import tiny
import torch

from fnprune_core.export import export
from fnprune_core.models.architectures import ARCHITECTURES
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import Recording, RecordingSettings
from fnprune_core.storage.workspace import Workspace

pytest_plugins = ["materials", "requirements_fixtures"]
N_THREADS = torch.get_num_threads()
TESTS = Path(__file__).parent
#: Begun first, so that two processes end at about the same time. The longest is one test, and a
#: process that has so few is given a second file at once: a short one, for it waits for minutes.
FIRST = (
    "browser/test_whole_path.py",
    "test_docs.py",
    "core/models/test_layout.py",
    "browser/test_lab.py",
    "core/export/test_speed.py",
    "core/models/test_embedded.py",
    "test_examples.py",
    "browser/test_lesson.py",
    "core/test_cli.py",
    "core/export/test_export.py",
)


def pytest_collection_modifyitems(items) -> None:
    """Begin with the files that take longest."""
    place = {TESTS / name: i for i, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(FIRST)))


def pytest_collection_finish() -> None:
    """Leave libraries and collected tests out of garbage collections, of 0.5 s and more each."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item) -> None:
    """Give tiny models one thread, on which they are faster, and the embedded model all.

    Before any fixture is made: what a fixture made with two of them would not be what a test makes
    with one.
    """
    torch.set_num_threads(N_THREADS if "need_embedded_model" in item.fixturenames else 1)


@pytest.fixture(scope="session", autouse=True)
def without_waiting_for_the_disk():
    """Leave files to the system's cache: no test cuts the power, and a disk may take 10 ms each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def fresh_process():
    """Let exports be checked in a process of their own, as they are for people: seconds each."""


@pytest.fixture(autouse=True)
def reloads_here(request, monkeypatch):
    """Check exports in this process, unless a test asks for a fresh one."""
    if "fresh_process" not in request.fixturenames:
        monkeypatch.setattr(export, "reload_elsewhere", tiny.reload_here)


@pytest.fixture(params=ARCHITECTURES)
def family(request) -> str:
    """Each family of the table in turn; a new row is tested on arrival."""
    return request.param


@pytest.fixture
def language_model(family) -> LanguageModel:
    """A tiny model of each family in turn."""
    return tiny.tiny_language_model(family)


@pytest.fixture
def llama() -> LanguageModel:
    """A tiny Llama, where one family is enough."""
    return tiny.tiny_language_model("Llama")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def record_windows(workspace):
    """Record windows with a model into the workspace: ``record_windows(model, windows)``."""

    def record_them(language_model, windows=None, **options) -> Recording:
        windows = windows or tiny.toy_windows()
        settings = RecordingSettings(window=windows.window, max_tokens=None, **options)
        id = record(workspace, language_model, windows, settings=settings)
        return Recording(workspace.folder("recordings", id))

    return record_them


@pytest.fixture
def recording(record_windows, llama) -> Recording:
    """8 sessions of 32 tokens, 2 of them dummy, read by the tiny Llama: 144 units."""
    return record_windows(llama)
