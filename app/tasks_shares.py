"""The jobs that search how a cut is best divided. No streamlit here."""

from dataclasses import asdict, dataclass

from app.jobs import Report
from app.tasks import ModelShelf, Task
from fnprune_core import allocation_search, share_search
from fnprune_core.allocation_search import AllocationOrder, AllocationSearch
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersJob:
    """A plan whose allocation is to be bettered."""

    model: str
    order: AllocationOrder


def search_layers(shelf: ModelShelf, workspace: Workspace, job: LayersJob) -> Task:
    """Search weights of the layers; an `AllocationSearch` results."""

    def run(report: Report, cancel: CancelToken) -> AllocationSearch:
        return allocation_search.search_allocation(
            workspace,
            shelf.get(job.model, progress=report),
            order=job.order,
            progress=report,
            cancel=cancel,
        )

    return Task(kind="layers", title="Share of each layer", inputs=asdict(job), function=run)
