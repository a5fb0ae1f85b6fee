"""What a browser may name on a server for its own machine alone: everything."""

from pathlib import Path

from app.doors.reach import Reach, reach_of
from app.doors.settings import read
from fnprune_core.storage.workspace import Workspace


def open_reach(workspace: Workspace) -> Reach:
    return reach_of(read("127.0.0.1", {}), workspace, uploads=Path(workspace.root) / "uploads")
