"""What the page Lesions starts: studies, and texts under a lesion. No streamlit here."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from app.jobs import Report
from app.tasks import ModelShelf, Task
from app.tasks_generate import Written
from app.texts import TextChoice
from fnprune_core import workflows
from fnprune_core.generating import Generation, encode
from fnprune_core.generations import BOTH, text_pieces
from fnprune_core.lesion_studies import LesionStudy
from fnprune_core.lesion_texts import WritingOrder, write_under_lesion
from fnprune_core.lesioning import LesionOrder, lesion_study
from fnprune_core.lesions import domain_stimuli
from fnprune_core.progress import CancelToken, ProgressEvent
from fnprune_core.storage import Workspace

KIND, WRITE = "lesions", "lesion-text"
_EVERY_S = 2.0  # a page polls no faster, and each report is kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionsSoFar:
    """A study under way."""

    study: LesionStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionJob:
    """A study, and the texts that are read under its lesions.

    Parameters
    ----------
    n_windows : int
        Of each domain, at most.
    """

    model: str
    order: LesionOrder
    texts: TextChoice
    window: int
    n_windows: int
    title: str = "Lesions"

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON values."""
        return asdict(self)


def run_lesions(shelf: ModelShelf, workspace: Workspace, job: LesionJob) -> Task:
    """Read texts under lesions; the study's id results, the study so far is reported."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(job.model, progress=report)
        documents = job.texts.documents()
        n_domains = len({document.domain for document in documents})
        windows = workflows.evaluation_windows(
            language_model,
            documents,
            window=job.window,
            max_windows=job.n_windows * n_domains,
        )
        told = -_EVERY_S

        def on_partial(study: LesionStudy) -> None:
            nonlocal told
            if time.monotonic() - told >= _EVERY_S or study.is_complete:
                told = time.monotonic()
                report(LesionsSoFar(study=study))

        return lesion_study(
            workspace,
            language_model,
            domain_stimuli(windows),
            order=job.order,
            on_partial=on_partial,
            progress=report,
            cancel=cancel,
        )

    return Task(kind=KIND, title=job.title, inputs=job.to_json(), function=run)


def write(shelf: ModelShelf, workspace: Workspace, model: str, order: WritingOrder) -> Task:
    """Let the healthy and the lesioned model write; each text is reported as it grows."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        prompt_ids = encode(language_model, order.prompt)
        n_written = dict.fromkeys(BOTH, 0)

        def on_token(whose: str, written: Generation) -> None:
            n_written[whose] = written.n_tokens
            pieces = text_pieces(language_model, prompt_ids, written.token_ids)
            report(Written(whose=whose, pieces=pieces, log_probability=written.log_probability))
            report(
                ProgressEvent(
                    stage="writing",
                    done=sum(n_written.values()),
                    total=len(BOTH) * order.sampling.max_new_tokens,
                    unit="tokens",
                )
            )

        return write_under_lesion(
            workspace, language_model, order, on_token=on_token, cancel=cancel
        )

    inputs = {"model": model, **asdict(order)}
    return Task(kind=WRITE, title="Writing under a lesion", inputs=inputs, function=run)
