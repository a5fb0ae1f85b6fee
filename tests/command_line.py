"""The command line in this process."""

import json
import sys
from pathlib import Path

import pytest

from fnprune_core.cli import main


class Program:
    """The command line in this process: ``program("record", …)`` gives what it printed."""

    def __init__(self, monkeypatch, capsys, workspace: Path) -> None:
        self._monkeypatch, self._capsys, self.workspace = monkeypatch, capsys, workspace

    def run(self, *words: object) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        self._monkeypatch.setattr(sys, "argv", ["fnprune", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = self._capsys.readouterr()
        return stopped.value.code, out, err

    def __call__(self, *words: object) -> str:
        """Return what a command that succeeds prints."""
        code, out, err = self.run(*words)
        assert code == 0, err
        return out

    def json(self, *words: object):
        """Return the JSON value that a command prints."""
        return json.loads(self(*words, "--json"))
