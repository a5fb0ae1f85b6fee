"""What the page Lesions starts: studies, and texts under a lesion. No streamlit here."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.shell.generation_tasks import watcher
from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.lesions.on_localizers import ready_stimuli
from fnprune_core.lesions.run import LesionOrder, lesion_study
from fnprune_core.lesions.sites import Stimuli, domain_stimuli
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.lesions.writing import WritingOrder, write_under_lesion
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace
from fnprune_core.texts.documents import Document

KIND, WRITE = "lesions", "lesion-text"
_EVERY_S = 2.0  # a page polls no faster, and each report is kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionsSoFar:
    """A study under way."""

    study: LesionStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What is read under lesions: texts by domain, or ready localizers.

    Parameters
    ----------
    texts : TextChoice
        Where there are no localizers; held-out built-in ones if not given.
    window, n_windows : int
        Tokens of a window, and windows of each domain at most.
    localizers : tuple of str or None
        Names of ready localizers.
    """

    texts: TextChoice = TextChoice(split="held-out")  # noqa: RUF009 - frozen
    window: int = 64
    n_windows: int = 8
    localizers: tuple[str, ...] | None = None

    def stimuli(
        self, language_model: LanguageModel, documents: Sequence[Document] | None = None
    ) -> Stimuli:
        """Return the windows in columns; `documents` are those of the texts if read before."""
        if self.localizers is not None:
            return ready_stimuli(self.localizers, language_model.tokenizer)
        found = self.texts.documents() if documents is None else documents
        n_domains = len({document.domain for document in found})
        windows = compare.evaluation_windows(
            language_model, found, window=self.window, max_windows=self.n_windows * n_domains
        )
        return domain_stimuli(windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionJob:
    """A study, and what is read under its lesions."""

    model: str
    order: LesionOrder
    read: Read
    title: str = "Lesions"

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON values."""
        return asdict(self)


def run_lesions(shelf: ModelShelf, workspace: Workspace, job: LesionJob) -> Task:
    """Read texts under lesions; the study's id results, the study so far is reported."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(job.model, progress=report)
        stimuli = job.read.stimuli(language_model)
        told = -_EVERY_S

        def on_partial(study: LesionStudy) -> None:
            nonlocal told
            if time.monotonic() - told >= _EVERY_S or study.is_complete:
                told = time.monotonic()
                report(LesionsSoFar(study=study))

        return lesion_study(
            workspace,
            language_model,
            stimuli,
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
        on_token = watcher(language_model, order.prompt, order.sampling, report)
        return write_under_lesion(
            workspace, language_model, order, on_token=on_token, cancel=cancel
        )

    inputs = {"model": model, **asdict(order)}
    return Task(kind=WRITE, title="Writing under a lesion", inputs=inputs, function=run)
