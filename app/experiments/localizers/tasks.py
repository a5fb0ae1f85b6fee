"""What the page Localizers starts: a run of a ready localizer or of one's own. No streamlit."""

from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from fnprune_core.localizers import ready_made
from fnprune_core.localizers import run as core_run
from fnprune_core.localizers.stimuli import Localizer
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace

KIND = "localize"


def localize(
    shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str, localizer: Localizer
) -> Task:
    """Run a localizer on an atlas; the result is the artifact's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        return core_run.localize(
            workspace, language_model, atlas, localizer, progress=report, cancel=cancel
        )

    inputs = {
        "model": model,
        "atlas": atlas,
        "localizer": localizer.name if localizer.name in ready_made.READY else "",
        "stimuli": localizer.sha256,
    }
    title = f"Localizer: {localizer.title}"
    return Task(kind=KIND, title=title, inputs=inputs, function=run)
