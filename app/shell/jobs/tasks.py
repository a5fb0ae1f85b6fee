"""Tasks that a button starts: functions with a kind and a title, run as jobs. No streamlit here.

Models are imported by the first that loads one: pages name tasks long before any runs.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from app.doors.reach import Reach
from app.shell.jobs.record import JobFunction, Report
from app.shell.text_choice import TextChoice
from fnprune_core.machine import memory
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent
from fnprune_core.storage.folders import check_free_space
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document

if TYPE_CHECKING:
    from fnprune_core.models.language_model import Anatomy, LanguageModel

P = ParamSpec("P")
#: The argument whose fields stand for themselves among a task's inputs.
_ORDER = "order"


class ModelShelf:
    """Holds one model for the whole server; the one before is let go first.

    Parameters
    ----------
    reach : Reach
        What may be loaded, where it is a path.
    """

    def __init__(self, *, reach: Reach) -> None:
        self.reach = reach
        self._loading = threading.Lock()
        self._held: LanguageModel | None = None
        self._asked = ""  # what loaded it: its source, with options behind it or without

    def get(self, source: str, *, progress: Progress, cancel: CancelToken = NEVER) -> LanguageModel:
        """Return the model of `source`, loading it if another one (or none) is held."""
        from fnprune_core.models.loading import load_model

        self.reach.model(source)
        with self._loading:
            model = self.loaded(source)
            if model is None:
                self._held = None
                progress(ProgressEvent(stage="loading the model", done=0, total=1, unit="models"))
                model = load_model(source, progress=progress, cancel=cancel)
                model.seconds_per_token()  # timed here, and not on a page that wants an estimate
                self._held, self._asked = model, source
                progress(ProgressEvent(stage="loading the model", done=1, total=1, unit="models"))
            return model

    def loaded(self, source: str) -> LanguageModel | None:
        """Return the model of `source` if it is in memory, in whichever dtype it was asked for."""
        model = self._held
        return model if model is not None and source in (self._asked, model.source) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Context of a task: the workspace, the models, and the report of its progress.

    Parameters
    ----------
    reach : Reach
        What the visit that asked may name; while the task holds it, the visit's uploads stay.
    """

    workspace: Workspace
    shelf: ModelShelf
    reach: Reach
    report: Report
    cancel: CancelToken

    @property
    def watched(self) -> dict[str, Any]:
        """The arguments `progress` and `cancel` of long functions."""
        return {"progress": self.report, "cancel": self.cancel}

    def model(self, source: str) -> LanguageModel:
        """Return a model, loaded if it is not in memory."""
        return self.shelf.get(source, progress=self.report, cancel=self.cancel)

    def documents(self, texts: TextChoice) -> list[Document]:
        """Return chosen texts, read where they may be."""
        return texts.documents(self.reach)

    def target(self, text: str) -> Path:
        """Return a path to be written, if it may be."""
        return self.reach.to_write(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job to be submitted; equal kind and inputs are the same job."""

    kind: str
    title: str
    inputs: Mapping[str, Any]
    function: Callable[[Run], Any]

    def job(
        self, workspace: Workspace, shelf: ModelShelf, *, reach: Reach | None = None
    ) -> JobFunction:
        """Return the function that a job manager calls; `reach` is that of the visit that asks."""
        reached = shelf.reach if reach is None else reach

        def run(report: Report, cancel: CancelToken) -> Any:
            reached.check_texts(self.inputs)
            check_free_space(workspace.root, 0)
            with memory.kept():  # till the job ends
                return self.function(
                    Run(
                        workspace=workspace,
                        shelf=shelf,
                        reach=reached,
                        report=report,
                        cancel=cancel,
                    )
                )

        return run


def task(
    kind: str,
    title: str | Callable[..., str],
    *,
    inputs: Callable[..., Mapping[str, Any]] | None = None,
) -> Callable[[Callable[Concatenate[Run, P], Any]], Callable[P, Task]]:
    """Return the decorator that makes a task of a function: called without its `Run`.

    Parameters
    ----------
    title : str or callable
        For people; ``{name}`` is an input. Or made from the function's arguments.
    inputs : callable, optional
        The function's arguments to JSON values that tell the job from others; by default the
        arguments themselves, where those of an `order` stand for themselves.
    """

    def decorate(function: Callable[Concatenate[Run, P], Any]) -> Callable[P, Task]:
        names = list(inspect.signature(function).parameters)[1:]

        @wraps(function)
        def make_task(*args: P.args, **kwargs: P.kwargs) -> Task:
            arguments = dict(zip(names, args, strict=False)) | kwargs
            facts = _json_arguments(arguments) if inputs is None else inputs(**arguments)
            return Task(
                kind=kind,
                title=title.format(**facts) if isinstance(title, str) else title(**arguments),
                inputs=facts,
                function=lambda run: function(run, *args, **kwargs),
            )

        return make_task

    return decorate


def _json_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON values."""
    values = {name: _json(value) for name, value in arguments.items()}
    return {**values, **values.pop(_ORDER, {})}


def _json(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return list(value) if isinstance(value, tuple) else value


@task("load", "Loading {model}")
def load(run: Run, *, model: str) -> Anatomy:
    """Load a model; return its anatomy."""
    return run.model(model).anatomy()


@task("lay_out", "Laying out the cortex")
def lay_out(run: Run, *, atlas: str) -> str:
    """Place every unit of an atlas in the cortex; return the cortex's id."""
    from fnprune_core.atlas import cortex

    return cortex.lay_out(run.workspace, atlas, **run.watched)


@task("members", "Decomposing halves of the documents")
def measure_members(run: Run, *, atlas: str) -> object:
    """Measure which units belong to networks, and what the rule marks in shifted units."""
    from fnprune_core.reliability import assess

    parts = ("members", "shifted_members")
    return assess.assess(run.workspace, atlas, parts=parts, **run.watched)
