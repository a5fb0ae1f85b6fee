"""Jobs that this page starts. No streamlit here."""

from collections.abc import Sequence

from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core.progress import CancelToken
from fnprune_core.reliability import assess as reliability
from fnprune_core.storage import Workspace


def assess(workspace: Workspace, *, atlas: str, parts: Sequence[str]) -> Task:
    """Measure how far networks can be trusted; each part is reported as it grows."""

    def run(report: Report, cancel: CancelToken) -> reliability.Assessed:
        return reliability.assess(
            workspace, atlas, parts=parts, on_partial=report, progress=report, cancel=cancel
        )

    inputs = {"atlas": atlas, "parts": list(parts)}
    return Task(kind="assess", title="Measuring trust", inputs=inputs, function=run)
