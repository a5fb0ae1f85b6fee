"""What the button of the page Report starts. No streamlit here."""

from dataclasses import asdict, dataclass
from pathlib import Path

from app.report.html_page import write_report
from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core.progress import CancelToken
from fnprune_core.report.sections import ReportSettings
from fnprune_core.storage import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrder:
    """Of which atlas, and what is in it."""

    atlas: str
    settings: ReportSettings


def report(workspace: Workspace, order: ReportOrder) -> Task:
    """Write a report into the workspace's exports; its path results."""

    def run(tell: Report, cancel: CancelToken) -> Path:
        target = workspace.root / "exports" / f"report-{order.atlas}.html"
        return write_report(
            workspace, order.atlas, target,
            settings=order.settings, progress=tell, cancel=cancel,
        )  # fmt: skip

    return Task(kind="report", title="Writing the report", inputs=asdict(order), function=run)
