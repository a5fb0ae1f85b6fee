"""Commands on what is stored: list, delete, size, clean."""

from typing import Annotated

import typer

from fnprune_core.commands.console import print_facts, print_json, print_table
from fnprune_core.commands.options import Json, Where, workspace_at
from fnprune_core.storage.manifests import KINDS

workspaces = typer.Typer(help="List, measure and delete what is stored.", no_args_is_help=True)


@workspaces.command("list")
def list_entries(where: Where = None, as_json: Json = False) -> None:
    """List what is stored, newest first."""
    workspace = workspace_at(where)
    entries = workspace.entries()
    if as_json:
        names = ("kind", "id", "created", "size_bytes")
        rows = [{name: getattr(entry, name) for name in names} for entry in entries]
        print_json({"workspace": str(workspace.root), "entries": rows})
        return
    print_table(
        str(workspace.root),
        ("kind", "id", "created", "size"),
        [
            (entry.kind, entry.id, entry.created, f"{entry.size_bytes / 1e6:.1f} MB")
            for entry in entries
        ],
    )


@workspaces.command("delete")
def delete(
    kind: Annotated[str, typer.Argument(help=" ".join(KINDS))],
    id: Annotated[str, typer.Argument()],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Delete one stored item."""
    workspace_at(where).delete(kind, id)
    print_json({"deleted": id}) if as_json else typer.echo(f"Deleted {kind[:-1]} {id}.")


@workspaces.command("size")
def size(where: Where = None, as_json: Json = False) -> None:
    """Print the size of everything, and of unfinished work."""
    workspace = workspace_at(where)
    facts = {
        "workspace": str(workspace.root),
        "size_bytes": workspace.size_bytes(),
        "unfinished": len(workspace.unfinished()),
    }
    print_json(facts) if as_json else print_facts("Workspace", facts)


@workspaces.command("clean")
def clean(where: Where = None, as_json: Json = False) -> None:
    """Delete what stopped work left behind; a stopped recording then starts anew."""
    n_discarded = workspace_at(where).discard_unfinished()
    print_json({"discarded": n_discarded}) if as_json else typer.echo(
        f"Discarded {n_discarded} unfinished folders."
    )
