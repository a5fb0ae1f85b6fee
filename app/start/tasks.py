"""Jobs that this page starts. No streamlit here."""

from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core import workflows
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace


def example(workspace: Workspace) -> Task:
    """Build the example; the result holds its ids."""

    def run(report: Report, cancel: CancelToken) -> workflows.ExampleIds:
        return workflows.example(workspace, progress=report, cancel=cancel)

    return Task(kind="example", title="Building the example", inputs={}, function=run)
