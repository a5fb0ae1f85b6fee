"""Trial plans for a choice, measured on text that neither they nor the final figures read.

On the calibration text itself a refit looks better than it is, so a choice made there is a poor
one; and what is to be reported must be measured on text that had no part in a choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fnprune_core.errors import TextError
from fnprune_core.evaluation.compare import check_overlap, evaluation_windows
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.evaluation.results import Perplexity
from fnprune_core.inputs.numbers import check_range
from fnprune_core.machine import workers
from fnprune_core.machine.workers import ModelAddress
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import stored_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import batches
from fnprune_core.pruning.planner import plans
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

READING = "measuring trials"
MOST_WINDOWS = 24


class Trials:
    """Makes plans for one recording and measures them.

    Parameters
    ----------
    windows : Windows
        Of a text that the recording did not read (`unread_windows`).
    n_plans : int
        How many will be asked for in all, for the progress.

    Raises
    ------
    OverlapError
        If the recording read some of this text.
    """

    def __init__(  # noqa: PLR0913 - the workspace's things, and what to read
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        windows: Windows,
        *,
        recording_id: str,
        decomposition_id: str | None,
        n_plans: int,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.recording_id, self.decomposition_id = recording_id, decomposition_id
        check_overlap(open_recording(workspace, recording_id), windows)
        self.windows = windows
        self.n_plans, self.n_measured = n_plans, 0
        self.progress, self.cancel = progress, cancel

    def make(self, settings: Sequence[PlanSettings]) -> list[str]:
        """Make plans, or find them; return the id of each."""
        return [
            plan_id
            for batch in batches(self.language_model, settings)
            for plan_id in plans(
                self.workspace,
                self.language_model,
                recording_id=self.recording_id,
                decomposition_id=self.decomposition_id,
                settings=batch,
                progress=self.progress,
                cancel=self.cancel,
            )
        ]

    def losses(self, plan_ids: Sequence[str]) -> Iterator[Perplexity]:
        """Yield the loss of each plan on the windows; workers take a share of the plans."""
        if not workers.is_spread():
            yield from map(self._loss, plan_ids)
            return
        address = ModelAddress.of(self.language_model)
        tasks = [
            _Trial(workspace=self.workspace.root, model=address, windows=self.windows, plan_id=id)
            for id in plan_ids
        ]
        for result in workers.in_order(_Trial.loss, tasks, cancel=self.cancel):
            self.n_measured += 1
            self._tell(0)
            yield result

    def _loss(self, plan_id: str) -> Perplexity:
        stream = _stream(
            self.workspace, self.language_model, self.windows, plan_id, cancel=self.cancel
        )
        result: Perplexity
        for result in stream:
            self._tell(len(result.window_nll))
        self.n_measured += 1
        return result

    def _tell(self, n_windows: int) -> None:
        """Report the plans that are measured, and so many windows of the next."""
        done = self.n_measured * self.windows.n_windows + n_windows
        total = self.n_plans * self.windows.n_windows
        self.progress(ProgressEvent(stage=READING, done=done, total=total, unit="windows"))


def _stream(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    plan_id: str,
    *,
    cancel: CancelToken = NEVER,
) -> Iterator[Perplexity]:
    """Yield a plan's loss on the windows, growing to the whole."""
    stored = stored_plan(workspace, plan_id)
    context = partial(silenced, language_model, stored.plan.removed, refits=stored.refits())
    yield from perplexity_stream(language_model.model, windows, context=context, cancel=cancel)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    """A plan to measure, as it is sent to a worker that shares the workspace's folder."""

    workspace: Path
    model: ModelAddress
    windows: Windows
    plan_id: str

    def loss(self) -> Perplexity:
        """Return the plan's loss on all windows."""
        workspace = Workspace(self.workspace)
        return list(_stream(workspace, self.model.model(), self.windows, self.plan_id))[-1]


def unread_windows(
    language_model: LanguageModel,
    documents: Sequence[Document],
    recording: Recording,
    *,
    max_windows: int = MOST_WINDOWS,
) -> Windows:
    """Return windows of the documents that a recording did not read, at even steps through them.

    Raises
    ------
    TextError
        If it read them all.
    """
    check_range("max_windows", max_windows, 1, 10**9)
    read_names = set(recording.windows.document_names)
    unread = [document for document in documents if document.name not in read_names]
    if not unread:
        raise TextError(
            "The recording read all of these documents, so nothing is left to try plans on.",
            hint="Give texts that it did not read, and that are not those to report on.",
        )
    windows = evaluation_windows(language_model, unread, window=recording.windows.window)
    n = min(max_windows, windows.n_windows)
    return windows.select(np.linspace(0, windows.n_windows, n, endpoint=False).astype(np.int64))
