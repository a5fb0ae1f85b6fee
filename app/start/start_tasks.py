"""Tasks of the Start page: the example, verifying. No streamlit here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.shell.jobs.tasks import Run, task

if TYPE_CHECKING:
    from fnprune_core.example.ids import ExampleIds
    from fnprune_core.storage.workspace import Verified


@task("example", "Building the example")
def example(run: Run) -> ExampleIds:
    """Build the example; return its ids."""
    from fnprune_core import workflows

    return workflows.example(run.workspace, **run.watched)


@task("verify", "Verifying")
def verify(run: Run) -> list[Verified]:
    """Read every byte of the workspace; return what was found of each artifact."""
    return run.workspace.verify(**run.watched)
