"""The jobs that search how a cut is best divided. No streamlit here."""

from dataclasses import asdict, dataclass

from app.shell.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.pruning.search import allocation, attention, trials
from fnprune_core.pruning.search.allocation import AllocationOrder, AllocationSearch
from fnprune_core.pruning.search.attention import ShareOrder, ShareSearch
from fnprune_core.recording.recording import open_recording
from fnprune_core.texts.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharesSoFar:
    """Result of a search so far."""

    found: ShareSearch


def _windows(
    run: Run, language_model: LanguageModel, texts: TextChoice, recording_id: str
) -> Windows:
    """Return the windows that plans are tried on: chosen texts that the recording left unread."""
    recording = open_recording(run.workspace, recording_id)
    return trials.unread_windows(language_model, run.documents(texts), recording)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesJob:
    """A cut that is to be divided; tried in several mixes."""

    model: str
    order: ShareOrder
    texts: TextChoice


@task("shares", "Share of attention", inputs=lambda job: asdict(job))
def search_shares(run: Run, job: SharesJob) -> ShareSearch:
    """Measure mixes of equal size, reporting each; return a `ShareSearch`."""
    language_model = run.model(job.model)
    return attention.search_shares(
        run.workspace,
        language_model,
        _windows(run, language_model, job.texts, job.order.recording_id),
        order=job.order,
        on_partial=lambda result: run.report(SharesSoFar(found=result)),
        **run.watched,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersJob:
    """A plan whose allocation is to be bettered."""

    model: str
    order: AllocationOrder
    texts: TextChoice


@task("layers", "Share of each layer", inputs=lambda job: asdict(job))
def search_layers(run: Run, job: LayersJob) -> AllocationSearch:
    """Search weights of the layers; return an `AllocationSearch`."""
    language_model = run.model(job.model)
    return allocation.search_allocation(
        run.workspace,
        language_model,
        _windows(run, language_model, job.texts, job.order.recording_id),
        order=job.order,
        **run.watched,
    )
