"""Task of the Live scanner page: a text that is read or written. No streamlit here."""

from dataclasses import dataclass

from app.shell.jobs.tasks import Run, task
from fnprune_core.lesions.live import LiveOrder, LiveTexts, run_live

KIND = "live"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a job has read or written, and what it was asked for."""

    model: str
    order: LiveOrder
    texts: LiveTexts


@task(KIND, "Reading in the live scanner")
def scan(run: Run, *, model: str, order: LiveOrder) -> Found:
    """Read a text, or let the model write one, healthy and under a lesion."""
    language_model = run.model(model)
    texts = run_live(run.workspace, language_model, order, **run.watched)
    return Found(model=model, order=order, texts=texts)
