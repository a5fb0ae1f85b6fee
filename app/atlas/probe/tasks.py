"""Jobs that this page starts. No streamlit here."""

from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from fnprune_core.atlas.probe import Reading
from fnprune_core.matching import dual_regression
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace


def probe(shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str, text: str) -> Task:
    """Read a text and find the strength of each network in it; the result is the reading."""

    def run(report: Report, cancel: CancelToken) -> Reading:
        language_model = shelf.get(model, progress=report)
        ready = dual_regression.open_probe(workspace, atlas)
        return ready.read(language_model, text, progress=report, cancel=cancel)

    inputs = {"model": model, "atlas": atlas, "text": text}
    return Task(kind="probe", title="Reading the text", inputs=inputs, function=run)
