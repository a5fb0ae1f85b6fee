"""Commands on what is stored: list, delete, size, clean, verify."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import CommonOptions, with_workspace
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.manifests import KINDS

workspaces = typer.Typer(help="List, measure and delete what is stored.", no_args_is_help=True)


@workspaces.command("list")
@with_workspace
def list_entries(*, common: CommonOptions) -> None:
    """List what is stored, newest first."""
    workspace = common.workspace
    entries, damaged = workspace.contents()
    facts = {
        "entries": [_facts(entry, "created") for entry in entries],
        "damaged": [_facts(item, "reason", "hint") for item in damaged],
    }
    if common.wrote_json({"workspace": str(workspace.root), **facts}):
        return
    print_table(
        str(workspace.root),
        ("kind", "id", "created", "size"),
        [
            (entry.kind, entry.id, entry.created, f"{entry.size_bytes / 1e6:.1f} MB")
            for entry in entries
        ],
    )
    if damaged:
        print_table(
            "Damaged: all else works; `fnprune workspace delete KIND ID` deletes one",
            ("kind", "id", "what is wrong", "what to do"),
            [(item.kind, item.id, item.reason, item.hint) for item in damaged],
        )


def _facts(item: object, *names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("kind", "id", *names, "size_bytes")}


@workspaces.command("delete")
@with_workspace
def delete(
    kind: Annotated[str, typer.Argument(help=" ".join(KINDS))],
    id: Annotated[str, typer.Argument()],
    *,
    common: CommonOptions,
) -> None:
    """Delete one stored item."""
    common.workspace.delete(kind, id)
    if not common.wrote_json({"deleted": id}):
        typer.echo(f"Deleted {kind[:-1]} {id}.")


@workspaces.command("size")
@with_workspace
def size(*, common: CommonOptions) -> None:
    """Print the size of everything, and of unfinished work."""
    workspace = common.workspace
    facts = {
        "workspace": str(workspace.root),
        "size_bytes": workspace.size_bytes(),
        "unfinished": len(workspace.unfinished()),
    }
    common.show("Workspace", facts)


@workspaces.command("clean")
@with_workspace
def clean(
    dry_run: Annotated[bool, typer.Option(help="Only tell what would go.")] = False,
    *,
    common: CommonOptions,
) -> None:
    """Delete what stopped work left behind; what could go on from there then starts anew."""
    workspace = common.workspace
    sizes = {str(path): folder_size(path) for path in workspace.unfinished()}
    if dry_run:
        facts: dict[str, Any] = {"would_discard": len(sizes), "bytes": sum(sizes.values())}
    else:
        n_discarded = len(workspace.discard_unfinished())
        facts = {"discarded": n_discarded, "bytes": sum(sizes.values())}
    if common.wrote_json({**facts, "folders": sizes}):
        return
    for path, n_bytes in sizes.items():
        typer.echo(f"{n_bytes / 1e6:>10,.1f} MB  {path}")
    verb = "Would discard" if dry_run else "Discarded"
    typer.echo(f"{verb} {len(sizes)} unfinished folders, {sum(sizes.values()) / 1e6:,.1f} MB.")


@workspaces.command("verify")
@with_workspace
def verify(
    *,
    common: CommonOptions,
) -> None:
    """Read every byte of every stored item, and tell what is not as it was written."""
    workspace = common.workspace
    with common.progress() as progress:
        items = workspace.verify(progress=progress)
    counts = {
        standing: sum(item.standing == standing for item in items)
        for standing in ("sound", "damaged")
    }
    rows = [asdict(item) | {"standing": item.standing} for item in items]
    if not common.wrote_json({**counts, "items": rows}):
        told = [(i.kind, i.id, i.standing, " ".join(i.problems)) for i in items if i.problems]
        if told:
            print_table(str(workspace.root), ("kind", "id", "is", "what is wrong"), told)
        print_facts("Verified", counts)
    raise typer.Exit(1 if counts["damaged"] else 0)
