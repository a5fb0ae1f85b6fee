"""Task of the Files page: an atlas written as one page. No streamlit here."""

from pathlib import Path

from app.html_files.atlas_page import write_atlas_page
from app.shell.jobs.tasks import Run, task


@task("atlas_page", "Writing the atlas")
def atlas_page(run: Run, *, atlas: str, z: float | None = 3.0) -> Path:
    """Write an atlas as one HTML file into the workspace's exports; return its path."""
    target = run.workspace.root / "exports" / f"atlas-{atlas}.html"
    return write_atlas_page(run.workspace, atlas, target, z=z, **run.watched)
