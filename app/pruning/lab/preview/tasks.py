"""Jobs that this page starts. No streamlit here."""

from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from fnprune_core.progress import CancelToken
from fnprune_core.pruning import preview_files
from fnprune_core.storage import Workspace


def prepare_preview(shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str) -> Task:
    """Prepare an atlas's preview; the result is its id."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        return preview_files.prepare_preview(
            workspace, language_model, atlas, progress=report, cancel=cancel
        )

    inputs = {"model": model, "atlas": atlas}
    return Task(kind="preview", title="Preparing the preview", inputs=inputs, function=run)
