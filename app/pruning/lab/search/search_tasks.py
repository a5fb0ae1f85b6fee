"""The jobs that search how a cut is best divided. No streamlit here."""

from dataclasses import asdict, dataclass
from typing import Any

from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.pruning.search import trials
from fnprune_core.pruning.search.allocation import AllocationSearch
from fnprune_core.pruning.search.attention import ShareSearch
from fnprune_core.pruning.search.trials import SearchOrder
from fnprune_core.recording.recording import open_recording


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchSoFar:
    """Result of a search so far."""

    found: AllocationSearch | ShareSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchJob:
    """A cut that is to be divided, and the texts to try plans on."""

    model: str
    order: SearchOrder[Any]
    texts: TextChoice


def _search(run: Run, job: SearchJob) -> Any:
    """Try plans on those of the chosen texts that the recording left unread; report each step."""
    language_model = run.model(job.model)
    recording = open_recording(run.workspace, job.order.recording_id)
    windows = trials.unread_windows(language_model, run.documents(job.texts), recording)
    return trials.search(
        run.workspace, language_model, windows, order=job.order,
        on_partial=lambda found: run.report(SearchSoFar(found=found)), **run.watched,
    )  # fmt: skip


search_shares = task("shares", "Share of attention", inputs=lambda job: asdict(job))(_search)
search_layers = task("layers", "Share of each layer", inputs=lambda job: asdict(job))(_search)
