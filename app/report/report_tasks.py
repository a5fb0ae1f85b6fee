"""What the button of the page Report starts. No streamlit here."""

from dataclasses import dataclass
from pathlib import Path

from app.report.html_page import write_report
from app.shell.jobs.tasks import Run, task
from fnprune_core.report.sections import ReportSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrder:
    """Of which atlas, and what is in it."""

    atlas: str
    settings: ReportSettings


@task("report", "Writing the report")
def report(run: Run, order: ReportOrder) -> Path:
    """Write a report into the workspace's exports; its path results."""
    target = run.workspace.root / "exports" / f"report-{order.atlas}.html"
    return write_report(run.workspace, order.atlas, target, settings=order.settings, **run.watched)
