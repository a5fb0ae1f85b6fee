import sys

import pytest

from fnprune_core.cli import main


def test_the_command_tells_which_localizers_there_are(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["fnprune", "localize", "latest", "nope"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "sentiment" in capsys.readouterr().err
