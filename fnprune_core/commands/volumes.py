"""An atlas as images: volumes."""

from pathlib import Path
from typing import Annotated

import typer

from fnprune_core.commands.console import print_json, print_table
from fnprune_core.commands.options import Json, Where, workspace_at


def volumes(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition, or latest.")],
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    z: Annotated[float, typer.Option(help="Threshold of the parcellation.", min=0.0)] = 3.0,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write maps and parcellation as NIfTI images, with a sidecar from voxel to unit."""
    from fnprune_core import workflows

    written = workflows.write_volumes(workspace_at(where), atlas, target, z=z)
    sizes = {path.name: path.stat().st_size for path in written}
    if as_json:
        print_json({"folder": str(target), "files": sizes})
        return
    rows = [(name, f"{size / 1e6:.2f} MB") for name, size in sizes.items()]
    print_table(str(target), ("file", "size"), rows)
