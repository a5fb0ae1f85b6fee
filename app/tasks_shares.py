"""The job of a search for the share of attention in a cut. No streamlit here."""

from dataclasses import asdict, dataclass

from app.jobs import Report
from app.tasks import ModelShelf, Task
from fnprune_core import share_search
from fnprune_core.progress import CancelToken
from fnprune_core.share_search import ShareOrder, ShareSearch
from fnprune_core.storage import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharesSoFar:
    """What a search has found so far."""

    found: ShareSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesJob:
    """A cut that is to be divided; tried in several mixes."""

    model: str
    order: ShareOrder


def search_shares(shelf: ModelShelf, workspace: Workspace, job: SharesJob) -> Task:
    """Measure mixes of equal size; a `ShareSearch` results, each mix is reported."""

    def run(report: Report, cancel: CancelToken) -> ShareSearch:
        return share_search.search_shares(
            workspace,
            shelf.get(job.model, progress=report),
            order=job.order,
            on_partial=lambda found: report(SharesSoFar(found=found)),
            progress=report,
            cancel=cancel,
        )

    return Task(kind="shares", title="Share of attention", inputs=asdict(job), function=run)
