"""Trial plans for a choice, measured on text that neither they nor the final figures read.

On the calibration text itself a refit looks better than it is, so a choice made there is a poor
one; and what is to be reported must be measured on text that had no part in a choice.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, TextError
from fnprune_core.evaluation.compare import check_overlap, compare, evaluation_windows
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.evaluation.results import Perplexity
from fnprune_core.inputs.numbers import check_range
from fnprune_core.machine import memory, workers
from fnprune_core.machine.workers import ModelAddress
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import batches
from fnprune_core.pruning.planner import canonical_settings, plans
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

Found = TypeVar("Found")
READING = "measuring trials"
MOST_WINDOWS = 24


@dataclass(frozen=True, kw_only=True)
class SearchOrder(ABC, Generic[Found]):
    """Order for a search of how to divide a cut; `Found` is what the search has found so far.

    Parameters
    ----------
    base : PlanSettings
        The plan whose cut is divided: it says how much goes in all, and what all trials share.
    """

    recording_id: str
    base: PlanSettings
    decomposition_id: str | None = None

    def __post_init__(self) -> None:
        canonical_settings(self.base)

    @abstractmethod
    def steps(self, trials: "Trials") -> Iterator[Found]:
        """Make and measure plans; yield what is found after each step, and say how many plans."""


def check_anything_goes(amount: float) -> None:
    """Raise `RatioError` if nothing is to be removed."""
    if not amount:
        raise RatioError(
            "Nothing is to go, so there is nothing to divide.", hint="Choose a ratio above 0."
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A plan that was tried, and its loss on the text of the search."""

    settings: PlanSettings
    plan_id: str
    plan: PruningPlan
    result: Perplexity

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of its units that each layer gives: (n_layers,)."""
        return np.array([len(units) for units in self.plan.removed]) / self.plan.layout.widths


class Trials:
    """Makes plans for one recording and measures them.

    Parameters
    ----------
    windows : Windows
        Of a text that the recording did not read (`unread_windows`).

    Raises
    ------
    OverlapError
        If the recording read some of this text.
    """

    def __init__(
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        windows: Windows,
        order: SearchOrder[Any],
        *,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        check_overlap(open_recording(workspace, order.recording_id), windows)
        self.windows, self.order = windows, order
        self.n_plans, self.n_measured = 0, 0  # of all that the search will ask for
        self.progress, self.cancel = progress, cancel

    def measure(self, all_settings: Sequence[PlanSettings]) -> Iterator[Trial]:
        """Make plans, or find them, and yield each with its loss."""
        plan_ids = [
            plan_id
            for batch in batches(self.language_model, all_settings)
            for plan_id in plans(
                self.workspace, self.language_model, settings=batch,
                recording_id=self.order.recording_id,
                decomposition_id=self.order.decomposition_id,
                progress=self.progress, cancel=self.cancel,
            )
        ]  # fmt: skip
        losses = self.losses(plan_ids)
        for settings, plan_id, result in zip(all_settings, plan_ids, losses, strict=True):
            plan = open_plan(self.workspace, plan_id)
            yield Trial(settings=settings, plan_id=plan_id, plan=plan, result=result)

    def losses(self, plan_ids: Sequence[str]) -> Iterator[Perplexity]:
        """Yield the loss of each plan on the windows; workers take a share of the plans."""
        found = (
            workers.in_order(
                Reading.tried,
                readings(self.workspace, self.language_model, self.windows, plan_ids),
                cancel=self.cancel,
            )
            if workers.is_spread()
            else map(self._loss, plan_ids)
        )
        for result in found:
            self.n_measured += 1
            self._tell(0)
            yield result

    def _loss(self, plan_id: str) -> Perplexity:
        result: Perplexity
        for result in _stream(
            self.workspace, self.language_model, self.windows, plan_id, cancel=self.cancel
        ):
            self._tell(len(result.window_nll))
        return result

    def _tell(self, n_windows: int) -> None:
        """Report the plans that are measured, and so many windows of the next."""
        done = self.n_measured * self.windows.n_windows + n_windows
        total = self.n_plans * self.windows.n_windows
        self.progress(ProgressEvent(stage=READING, done=done, total=total, unit="windows"))


@memory.kept()
def search(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    order: SearchOrder[Found],
    on_partial: Callable[[Found], None] = lambda found: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Found:
    """Search how a cut is best divided, by whole plans; return what was found.

    Plans of trials stay in the workspace, so that a stopped search goes on where it was.

    Parameters
    ----------
    windows : Windows
        Of a text that neither the recording nor the final figures know (`unread_windows`).
    on_partial : callable
        Called with what was found after each step: a round of an allocation, or a mix.
    """
    trials = Trials(workspace, language_model, windows, order, progress=progress, cancel=cancel)
    for found in order.steps(trials):
        on_partial(found)
    return found


def _stream(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    plan_id: str,
    *,
    cancel: CancelToken = NEVER,
) -> Iterator[Perplexity]:
    """Yield a plan's loss on the windows, growing to the whole; nothing is stored."""
    stored = stored_plan(workspace, plan_id)
    context = partial(silenced, language_model, stored.plan.removed, refits=stored.refits())
    yield from perplexity_stream(language_model.model, windows, context=context, cancel=cancel)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A plan to measure, as it is sent to a worker that shares the workspace's folder."""

    workspace: Path
    model: ModelAddress
    windows: Windows
    plan_id: str

    def tried(self) -> Perplexity:
        """Return the plan's loss on all windows, for a search alone."""
        workspace = Workspace(self.workspace)
        return list(_stream(workspace, self.model.model(), self.windows, self.plan_id))[-1]

    def stored(self) -> Perplexity:
        """Return what a comparison keeps of the plan, measured if need be."""
        results: list[Perplexity] = []
        compare(
            Workspace(self.workspace),
            self.model.model(),
            self.windows,
            plan_ids={"": self.plan_id},
            on_partial=lambda _, result: results.append(result),
        )
        return results[-1]


def readings(
    workspace: Workspace, language_model: LanguageModel, windows: Windows, plan_ids: Sequence[str]
) -> list[Reading]:
    """Return plans as they are sent to workers."""
    address = ModelAddress.of(language_model)
    return [
        Reading(workspace=workspace.root, model=address, windows=windows, plan_id=plan_id)
        for plan_id in plan_ids
    ]


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
