"""Jobs that this page starts. No streamlit here."""

from pathlib import Path

from app.html_files.atlas_page import write_atlas_page
from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace


def atlas_page(workspace: Workspace, *, atlas: str, z: float = 3.0) -> Task:
    """Write an atlas as one HTML file into the workspace's exports; its path results."""

    def run(report: Report, cancel: CancelToken) -> Path:
        target = workspace.root / "exports" / f"atlas-{atlas}.html"
        return write_atlas_page(workspace, atlas, target, z=z, progress=report, cancel=cancel)

    inputs = {"atlas": atlas, "z": z}
    return Task(kind="atlas_page", title="Writing the atlas", inputs=inputs, function=run)
