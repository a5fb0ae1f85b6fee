"""The lock of a small file: others wait a moment for it, and not for a process that was stopped."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from fnprune_core.errors import StorageError
from fnprune_core.storage import locks

_HOLD = """
import sys, time
from pathlib import Path
from fnprune_core.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_stopped_holder_does_not_halt_others_for_good(tmp_path, monkeypatch) -> None:
    """A page that saves a name would wait as long as a command that was stopped by Ctrl+Z."""
    monkeypatch.setattr(locks, "_WAIT_S", 0.3)
    path = tmp_path / "notes" / "names.json"
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(StorageError, match="nothing was changed"), locks.locked(path):
            pass
    finally:
        holder.kill()
        holder.wait()
    with locks.locked(path):
        """A killed holder has let go."""


def test_a_short_write_of_another_is_waited_for(tmp_path) -> None:
    path, order = tmp_path / "names.json", []

    def write(name: str) -> None:
        with locks.locked(path):
            order.append(name)

    with locks.locked(path):
        second = threading.Thread(target=write, args=("second",))
        second.start()
        second.join(0.3)
        order.append("first")
    second.join(5)
    assert order == ["first", "second"]
