"""The job of a sweep: its order, what it reports, its function. No streamlit here."""

from dataclasses import asdict, dataclass

from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.pruning.sweep import Sweep, SweepOrder, sweep


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepSoFar:
    """Result of a sweep so far."""

    found: Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepJob:
    """A sweep and the text it is measured on."""

    model: str
    order: SweepOrder
    texts: TextChoice
    window: int
    max_windows: int


@task("sweep", "Sweep", inputs=lambda job: asdict(job))
def run_sweep(run: Run, job: SweepJob) -> Sweep:
    """Make and measure the plans of a sweep, reporting each point; return a `Sweep`."""
    language_model = run.model(job.model)
    windows = compare.evaluation_windows(
        language_model, run.documents(job.texts), window=job.window, max_windows=job.max_windows
    )
    return sweep(
        run.workspace,
        language_model,
        windows,
        order=job.order,
        on_partial=lambda swept: run.report(SweepSoFar(found=swept)),
        **run.watched,
    )
