"""Tasks of the Lesions page: studies, and texts under a lesion. No streamlit here."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from app.shell.jobs.generation_tasks import watcher
from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.lesions.on_localizers import ready_stimuli
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Stimuli, domain_stimuli
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.lesions.writing import WritingOrder, write_under_lesion
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.texts.documents import Document

KIND, WRITE = "lesions", "lesion-text"
_EVERY_S = 2.0  # a page polls no faster, and each report is kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionsSoFar:
    """A study under way."""

    study: LesionStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Texts by domain, or ready localizers, to be read under lesions.

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
        self, language_model: LanguageModel, documents: Callable[[TextChoice], list[Document]]
    ) -> Stimuli:
        """Return the windows in columns; `documents` reads the texts, where they may be read."""
        if self.localizers is not None:
            return ready_stimuli(self.localizers, language_model.tokenizer)
        texts = documents(self.texts)
        n_domains = len({document.domain for document in texts})
        windows = compare.evaluation_windows(
            language_model, texts, window=self.window, max_windows=self.n_windows * n_domains
        )
        return domain_stimuli(windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionJob:
    """A study, and the texts that are read under its lesions."""

    model: str
    order: LesionOrder
    read: Read
    title: str = "Lesions"


@task(KIND, lambda job: job.title, inputs=lambda job: asdict(job))
def run_lesions(run: Run, job: LesionJob) -> str:
    """Read texts under lesions, reporting the study so far; return the study's id."""
    language_model = run.model(job.model)
    last_report = -_EVERY_S

    def on_partial(study: LesionStudy) -> None:
        nonlocal last_report
        if time.monotonic() - last_report >= _EVERY_S or study.is_complete:
            last_report = time.monotonic()
            run.report(LesionsSoFar(study=study))

    return lesion_study(
        run.workspace,
        language_model,
        job.read.stimuli(language_model, run.documents),
        order=job.order,
        on_partial=on_partial,
        **run.watched,
    )


@task(WRITE, "Writing under a lesion")
def write(run: Run, model: str, order: WritingOrder) -> str:
    """Let the healthy and the lesioned model write; each text is reported as it grows."""
    language_model = run.model(model)
    on_token = watcher(language_model, order.prompt, order.sampling, run.report)
    return write_under_lesion(
        run.workspace, language_model, order, on_token=on_token, cancel=run.cancel
    )
