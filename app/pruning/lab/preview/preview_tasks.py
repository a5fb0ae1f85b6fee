"""Task that prepares the preview of a plan. No streamlit here."""

from app.shell.jobs.tasks import Run, task
from fnprune_core.pruning import preview_files


@task("preview", "Preparing the preview")
def prepare_preview(run: Run, *, model: str, atlas: str) -> str:
    """Prepare an atlas's preview; return its id."""
    return preview_files.prepare_preview(run.workspace, run.model(model), atlas, **run.watched)
