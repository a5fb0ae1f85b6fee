"""Names that people gave to networks: shown, written to a file, brought back, matched by maps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fnprune_core.commands.console import print_table
from fnprune_core.commands.options import CommonOptions, with_workspace
from fnprune_core.errors import NetworksMovedError, SettingsError, TextError

if TYPE_CHECKING:
    from fnprune_core.atlas.annotation_files import Annotations
    from fnprune_core.atlas.network_atlas import NetworkAtlas
    from fnprune_core.storage.workspace import Workspace

names = typer.Typer(
    help="Names and notes of networks: show, export, import, match.", no_args_is_help=True
)
AtlasArgument = Annotated[str, typer.Argument(help="Id of a decomposition, or latest.")]


@names.command("show")
@with_workspace
def show(atlas: AtlasArgument, *, common: CommonOptions) -> None:
    """Print the names and notes of an atlas's networks."""
    from fnprune_core.atlas import annotation_files

    _, opened_atlas, annotations = _opened(common, atlas)
    if common.wrote_json(annotation_files.as_value(annotations)):
        return
    rows = [(k, a.name, a.note, ", ".join(a.tags)) for k, a in sorted(annotations.networks.items())]
    print_table(f"Names of atlas {opened_atlas.id}", ("network", "name", "note", "tags"), rows)


@names.command("export")
@with_workspace
def export_names(
    atlas: AtlasArgument,
    target: Annotated[Path, typer.Argument(help="A new file: .json or .csv.")],
    *,
    common: CommonOptions,
) -> None:
    """Write names and notes to a file, with what shows elsewhere which networks they mean."""
    from fnprune_core.atlas import annotation_files
    from fnprune_core.storage.folders import storage_errors

    writers = {".json": annotation_files.to_json, ".csv": annotation_files.to_csv}
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise SettingsError(f"{target} is neither .json nor .csv.", hint="Name the file so.")
    _, _, annotations = _opened(common, atlas)
    with storage_errors(target):
        try:
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(writer(annotations))
        except FileExistsError as error:
            raise SettingsError(
                f"{target} exists; nothing was written.", hint="Name a new file."
            ) from error
    facts = {"file": str(target), "networks": len(annotations.networks)}
    common.show("Names", facts)


@names.command("import")
@with_workspace
def import_names(
    atlas: AtlasArgument,
    source: Annotated[Path, typer.Argument(help="A file that was exported: .json or .csv.")],
    match: Annotated[
        bool, typer.Option("--match", help="Give names to the networks whose maps are alike.")
    ] = False,
    by_number: Annotated[
        bool, typer.Option("--by-number", help="Take the numbers as they are, unchecked or not.")
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Take names and notes from a file, if their numbers mean the same networks here."""
    from fnprune_core.atlas import annotation_files, annotations

    if match and by_number:
        raise SettingsError("--match and --by-number exclude each other.", hint="Give one.")
    try:
        with source.open("rb") as file:  # one byte more than is taken tells that it is too large
            content = file.read(annotation_files.MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TextError(f"{source} cannot be read: {error.strerror}.", hint="Name a file.") from (
            error
        )
    imported = annotation_files.parse(content)
    workspace, opened_atlas, _ = _opened(common, atlas)
    check = annotations.check_import(imported, opened_atlas)
    if match and check.renumbering is None:
        raise SettingsError(
            f"{check.message} The file does not hold the maps of its networks, so there is "
            "nothing to match.",
            hint="Export it again with this version, or take the numbers with --by-number.",
        )
    if check.fit != "same" and not (match or by_number):
        raise NetworksMovedError(
            check.message,
            hint="Give --match to name the networks whose maps are alike, or --by-number."
            if check.renumbering
            else "Give --by-number to take the numbers as they are.",
            can_match=check.renumbering is not None,
        )
    renumbering = check.renumbering if match else None
    numbers = renumbering.numbers if renumbering else None
    taken = annotations.merge(workspace, opened_atlas, imported, numbers=numbers)
    lost = list(renumbering.lost) if renumbering else []
    facts = {
        "atlas": opened_atlas.id,
        "fit": check.fit,
        "message": check.message,
        "taken": len(imported.networks) - len(lost),
        "left_behind": lost,
        "named": len(taken.networks),
    }
    common.show("Names", facts)


@names.command("match")
@with_workspace
def match_names(atlas: AtlasArgument, *, common: CommonOptions) -> None:
    """Bring the stored names of an atlas that was made anew to the networks they were given to."""
    from fnprune_core.atlas import annotations, network_atlas

    workspace = common.workspace
    opened_atlas = network_atlas.open_atlas(workspace, atlas)
    stored, moved = annotations.match_stored(workspace, opened_atlas)
    facts = {
        "atlas": opened_atlas.id,
        "message": moved.sentence(),
        "named": len(stored.networks),
        "left_behind": list(moved.lost),
    }
    common.show("Names", facts)


def _opened(common: CommonOptions, atlas: str) -> tuple["Workspace", "NetworkAtlas", "Annotations"]:
    """Return the workspace, an atlas, and its names; refuses names of other networks."""
    from fnprune_core.atlas import annotations, network_atlas

    workspace = common.workspace
    opened_atlas = network_atlas.open_atlas(workspace, atlas)
    found = annotations.read_annotations(workspace, opened_atlas.id)
    if found.unmatched is not None:
        raise NetworksMovedError(
            f"The names of atlas {opened_atlas.id} were given to networks that have other numbers "
            "here.",
            hint=f"Bring them along with `fnprune names match {opened_atlas.id}`.",
            can_match=True,
        )
    return workspace, opened_atlas, annotations.with_maps(found, opened_atlas)
