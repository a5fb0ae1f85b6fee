"""The job of a sweep: its order, what it reports, its function. No streamlit here."""

from dataclasses import asdict, dataclass

from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.progress import CancelToken
from fnprune_core.pruning.sweep import Sweep, SweepOrder, sweep
from fnprune_core.storage import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepSoFar:
    """What a sweep has found so far."""

    found: Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepJob:
    """A sweep and what it is measured on."""

    model: str
    order: SweepOrder
    texts: TextChoice
    window: int
    max_windows: int


def run_sweep(shelf: ModelShelf, workspace: Workspace, job: SweepJob) -> Task:
    """Make and measure the plans of a sweep; a `Sweep` results, each point is reported."""

    def run(report: Report, cancel: CancelToken) -> Sweep:
        language_model = shelf.get(job.model, progress=report)
        windows = compare.evaluation_windows(
            language_model,
            job.texts.documents(),
            window=job.window,
            max_windows=job.max_windows,
        )
        return sweep(
            workspace,
            language_model,
            windows,
            order=job.order,
            on_partial=lambda found: report(SweepSoFar(found=found)),
            progress=report,
            cancel=cancel,
        )

    return Task(kind="sweep", title="Sweep", inputs=asdict(job), function=run)
