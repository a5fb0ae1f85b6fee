"""The command that starts the app."""

import json
import socket

import pytest
import typer
from typer.testing import CliRunner

from app.cli import register
from app.doors.settings import read
from fnprune_core.errors import SettingsError
from fnprune_core.storage.folders import workspace_limit


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


def test_who_may_enter_and_what_is_bounded_reach_the_server(cli, tmp_path) -> None:
    words = ["app", "--dry-run", "--json", "--address", "0.0.0.0", "--allow-host", "a.example"]
    words += ["--allow-host", "b.example", "--allow-root", str(tmp_path), "--allow-user", "@lab"]
    words += ["--trust-proxy", "--max-upload-mb", "7", "--max-uploads-mb", "8"]
    words += ["--max-text-chars", "9", "--max-read-mb", "10", "--max-workspace-gb", "1.5"]
    printed = json.loads(CliRunner().invoke(cli, words).output)
    assert printed["command"][-1] == "--server.maxUploadSize=7"
    door = read("0.0.0.0", printed["environment"])
    assert (door.hosts, door.roots, door.users) == (
        ("a.example", "b.example"), (tmp_path.resolve(),), ("@lab",)
    )  # fmt: skip
    assert door.trusts_proxy
    limits = door.limits
    assert (limits.upload_bytes, limits.text_chars, limits.read_bytes) == (8e6, 9, 10e6)
    assert workspace_limit(printed["environment"]) == 1.5e9


@pytest.mark.parametrize("name", ["FNPRUNE_TOKEN", "FNPRUNE_MAX_WORKSPACE_GB"])
def test_a_slip_is_told_before_the_server_starts(cli, monkeypatch, name) -> None:
    monkeypatch.setenv(name, "oh")
    result = CliRunner().invoke(cli, ["app", "--dry-run"])
    assert isinstance(result.exception, SettingsError)
    assert name in str(result.exception)


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
