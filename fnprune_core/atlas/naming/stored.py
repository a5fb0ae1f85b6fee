"""Where what the networks promote is kept, beside the atlas; asking needs no torch."""

from pathlib import Path

from fnprune_core.storage.workspace import Workspace

FOLDER = "promoted"


def promoted_path(workspace: Workspace, atlas_id: str) -> Path:
    """Return the path of an atlas's promoted tokens, whether or not they were computed."""
    return workspace.beside(FOLDER, "decompositions", atlas_id)
