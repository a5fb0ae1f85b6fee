"""Commands on what is stored: list, delete, size, clean, verify."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_json, print_table, progress_bars
from fnprune_core.commands.options import Json, Where, workspace_at
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.manifests import KINDS

workspaces = typer.Typer(help="List, measure and delete what is stored.", no_args_is_help=True)


@workspaces.command("list")
def list_entries(where: Where = None, as_json: Json = False) -> None:
    """List what is stored, newest first."""
    workspace = workspace_at(where)
    entries, damaged = workspace.contents()
    if as_json:
        names = ("kind", "id", "created", "size_bytes")
        rows = [{name: getattr(entry, name) for name in names} for entry in entries]
        damaged_rows = [
            {name: getattr(item, name) for name in ("kind", "id", "reason", "hint", "size_bytes")}
            for item in damaged
        ]
        print_json({"workspace": str(workspace.root), "entries": rows, "damaged": damaged_rows})
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
def clean(
    dry_run: Annotated[bool, typer.Option(help="Only tell what would go.")] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Delete what stopped work left behind; what could go on from there then starts anew."""
    workspace = workspace_at(where)
    sizes = {str(path): folder_size(path) for path in workspace.unfinished()}
    if dry_run:
        facts: dict[str, Any] = {"would_discard": len(sizes), "bytes": sum(sizes.values())}
    else:
        n_discarded = len(workspace.discard_unfinished())
        facts = {"discarded": n_discarded, "bytes": sum(sizes.values())}
    if as_json:
        print_json({**facts, "folders": sizes})
        return
    for path, n_bytes in sizes.items():
        typer.echo(f"{n_bytes / 1e6:>10,.1f} MB  {path}")
    verb = "Would discard" if dry_run else "Discarded"
    typer.echo(f"{verb} {len(sizes)} unfinished folders, {sum(sizes.values()) / 1e6:,.1f} MB.")


@workspaces.command("verify")
def verify(
    adopt: Annotated[
        bool,
        typer.Option(
            help="Give checksums to what an earlier version wrote without, as it stands now."
        ),
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Read every byte of every stored item, and tell what is not as it was written."""
    workspace = workspace_at(where)
    adopted = workspace.adopt() if adopt else []
    with progress_bars(shown=not as_json) as progress:
        items = workspace.verify(progress=progress)
    counts = {
        standing: sum(item.standing == standing for item in items)
        for standing in ("sound", "damaged", "unchecked")
    }
    if as_json:
        rows = [asdict(item) | {"standing": item.standing} for item in items]
        print_json({**counts, "adopted": len(adopted), "items": rows})
    else:
        told = [(i.kind, i.id, i.standing, " ".join(i.problems)) for i in items if i.problems]
        if told:
            print_table(str(workspace.root), ("kind", "id", "is", "what is wrong"), told)
        print_facts("Verified", {**counts, "adopted": len(adopted)})
        if counts["unchecked"]:
            typer.echo("`--adopt` gives the unchecked ones checksums, as they stand now.")
    raise typer.Exit(1 if counts["damaged"] else 0)
