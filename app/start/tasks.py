"""Tasks of the Start page: the example, verifying. No streamlit here."""

from app.shell.tasks import Run, task
from fnprune_core import workflows
from fnprune_core.storage.workspace import Verified


@task("example", "Building the example")
def example(run: Run) -> workflows.ExampleIds:
    """Build the example; return its ids."""
    return workflows.example(run.workspace, **run.watched)


@task("verify", "Verifying")
def verify(run: Run) -> list[Verified]:
    """Read every byte of the workspace; return what was found of each artifact."""
    return run.workspace.verify(**run.watched)
