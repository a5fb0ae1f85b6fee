"""The command that starts the app."""

import json
import socket

import pytest
import typer
from typer.testing import CliRunner

from app.cli import register
from fnprune_core.errors import SettingsError


@pytest.fixture
def cli() -> typer.Typer:
    made = typer.Typer()
    made.command(name="other")(lambda: None)
    register(made)
    return made


def test_help(cli) -> None:
    result = CliRunner().invoke(cli, ["app", "--help"])
    assert result.exit_code == 0
    assert "Open the app" in result.output


def test_dry_run_prints_the_command(cli) -> None:
    result = CliRunner().invoke(cli, ["app", "--dry-run", "--json", "--port", "8765"])
    printed = json.loads(result.output)
    assert printed["url"] == "http://127.0.0.1:8765"
    assert printed["command"][-2:] == ["--server.port=8765", "--server.address=127.0.0.1"]


def test_port_in_use_is_one_clear_sentence(cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(cli, ["app", "--port", str(port)])
    assert isinstance(result.exception, SettingsError)
    assert str(port) in str(result.exception)


def test_wrong_argument(cli) -> None:
    assert CliRunner().invoke(cli, ["app", "--port", "99999999"]).exit_code == 2
