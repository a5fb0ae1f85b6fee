"""Task of the Start page: the example. No streamlit here."""

from app.shell.tasks import Run, task
from fnprune_core import workflows


@task("example", "Building the example")
def example(run: Run) -> workflows.ExampleIds:
    """Build the example; return its ids."""
    return workflows.example(run.workspace, **run.watched)
