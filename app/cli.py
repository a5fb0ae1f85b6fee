"""Commands of the app: the app itself, and an atlas or a report as one file."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from fnprune_core.commands.options import Where, bounded, workspace_at
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import path_of
from fnprune_core.inputs.numbers import check_range

MAIN = Path(__file__).parent / "main.py"


def register(cli: typer.Typer) -> None:
    """Add the app's commands to the command line."""
    cli.command(name="app")(bounded(serve))
    cli.command(name="atlas")(bounded(atlas))
    cli.command(name="report")(bounded(report))


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    address: Annotated[
        str,
        typer.Option(help="Address to listen on; on others than this machine's a token is asked."),
    ] = "127.0.0.1",
    workspace: Where = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name by which people reach the server, as behind a proxy; repeat."),
    ] = None,
    allow_root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder whose files may be named in the browser; repeat."),
    ] = None,
    allow_user: Annotated[
        list[str] | None,
        typer.Option(help="Who may log in: an address of mail, @domain or *; repeat."),
    ] = None,
    trust_proxy: Annotated[
        bool, typer.Option("--trust-proxy", help="Believe a proxy's X-Forwarded-Proto.")
    ] = False,
    max_upload_mb: Annotated[
        int | None, typer.Option(min=1, help="Of one uploaded file (default: 200).")
    ] = None,
    max_uploads_mb: Annotated[
        int | None, typer.Option(min=1, help="Of all uploaded files together (default: 2000).")
    ] = None,
    max_text_chars: Annotated[
        int | None, typer.Option(min=1, help="Of a text that is typed (default: 50000).")
    ] = None,
    max_read_mb: Annotated[
        int | None, typer.Option(min=1, help="Of the files of one choice of texts (default: 500).")
    ] = None,
    max_workspace_gb: Annotated[
        float | None,
        typer.Option(min=0, help="Of the workspace, then no work begins (default: the disk's)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only print the command.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the command as JSON.")] = False,
) -> None:
    """Open the app in a browser: record, find networks, look at them, prune.

    On another address than this machine's, or with --allow-host, a token is asked for: that of
    FNPRUNE_TOKEN, else one that is made and printed with the link.
    """
    from app.doors import settings
    from fnprune_core.storage import folders

    # Without the current folder on the path, which may hold another package `app`.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(MAIN)]
    command += [f"--server.port={port}", f"--server.address={address}"]
    if max_upload_mb is not None:
        command.append(f"--server.maxUploadSize={max_upload_mb}")
    path = [str(MAIN.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    given = {
        "PYTHONPATH": os.pathsep.join(path),
        "FNPRUNE_WORKSPACE": workspace and str(path_of(workspace).resolve()),
        settings.HOSTS: ",".join(allow_host or ()),
        settings.ROOTS: os.pathsep.join(str(path_of(p).resolve()) for p in allow_root or ()),
        settings.USERS: ",".join(allow_user or ()),
        settings.PROXY: "1" if trust_proxy else "",
        settings.MAX_UPLOADS: max_uploads_mb,
        settings.MAX_TEXT: max_text_chars,
        settings.MAX_READ: max_read_mb,
        folders.MAX_WORKSPACE: max_workspace_gb,
    }
    variables = {name: str(value) for name, value in given.items() if value not in (None, "")}
    environment = {**os.environ, **variables}
    settings.read(address, environment)  # a slip is told before the server starts
    folders.workspace_limit(environment)
    if as_json:
        facts = {"url": f"http://{address}:{port}", "command": command, "environment": variables}
        typer.echo(json.dumps(facts))
    if dry_run:
        if not as_json:
            words = [*(f"{name}={value}" for name, value in variables.items()), *command]
            typer.echo(" ".join(words))
        return
    _check_port(address, port)
    # In this process's place, so that what stops the command stops the app.
    os.execve(sys.executable, command, environment)


def atlas(
    id: Annotated[str, typer.Argument(metavar="ATLAS", help="Its id, or `latest`.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="The file to write.")],
    z: Annotated[
        float | None, typer.Option(help="Units by |z| above this (default: members).")
    ] = None,
    workspace: Where = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print path and size as JSON.")] = False,
) -> None:
    """Write a whole atlas as one HTML page that opens anywhere, without a network."""
    from app.html_files.atlas_page import write_atlas_page
    from fnprune_core.atlas.files import MOST_THRESHOLD
    from fnprune_core.commands.console import progress_bars

    opened_workspace = workspace_at(workspace)
    if z is not None:
        check_range("z", z, 0, MOST_THRESHOLD)
    with progress_bars(shown=not as_json) as progress:
        path = write_atlas_page(opened_workspace, id, out, z=z, progress=progress).resolve()
    size = path.stat().st_size
    if as_json:
        typer.echo(json.dumps({"path": str(path), "bytes": size}))
    else:
        typer.echo(f"{path}: {size / 1e6:.1f} MB")


def report(
    id: Annotated[str, typer.Argument(metavar="ATLAS", help="Its id.")] = "latest",
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="The file to write.")] = Path(
        "report.html"
    ),
    sections: Annotated[
        str | None, typer.Option(help="Which, by their names, with commas between; all.")
    ] = None,
    leave_out: Annotated[str, typer.Option(help="Sections to leave out, likewise.")] = "",
    networks: Annotated[int, typer.Option(help="Networks that are shown in full.")] = 12,
    z: Annotated[
        float | None, typer.Option(help="Units by |z| above this (default: members).")
    ] = None,
    workspace: Where = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Write a report of an atlas: methods, results, limits, commands and tables, in one HTML."""
    from app.report.html_page import write_report
    from fnprune_core.commands.console import progress_bars
    from fnprune_core.report.sections import SECTIONS, ReportSettings, check_sections

    def names_in(text: str) -> list[str]:
        return [name.strip() for name in text.split(",") if name.strip()]

    chosen_sections = list(SECTIONS) if sections is None else names_in(sections)
    left_out = check_sections(names_in(leave_out)) if names_in(leave_out) else ()
    check_sections(chosen_sections)
    settings = ReportSettings(
        sections=tuple(name for name in chosen_sections if name not in left_out),
        z=z,
        n_detailed=networks,
    )
    opened_workspace = workspace_at(workspace)
    with progress_bars(shown=not as_json) as progress:
        path = write_report(
            opened_workspace, id, out, settings=settings, progress=progress
        ).resolve()
    size = path.stat().st_size
    if as_json:
        facts = {"path": str(path), "bytes": size, "sections": list(settings.sections)}
        typer.echo(json.dumps(facts))
    else:
        typer.echo(f"{path}: {size / 1e6:.1f} MB. Open it in a browser; print it from there.")


def _check_port(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SettingsError(
                f"Nothing can listen on {address}:{port}: {error.strerror}.",
                hint="Is the app already open? If not, choose another --port.",
            ) from error
