"""What each button starts: a job's name, its inputs and its function. No streamlit here."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.shell.jobs import JobFunction, Report
from fnprune_core.atlas import cortex
from fnprune_core.models.language_model import Anatomy, LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.storage import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job to be submitted."""

    kind: str
    title: str
    inputs: Mapping[str, Any]
    function: JobFunction


class ModelShelf:
    """Holds one model for the whole server; the one before is let go first."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._held: LanguageModel | None = None

    def get(self, source: str, *, progress: Progress) -> LanguageModel:
        """Return the model of `source`, loading it if another one (or none) is held."""
        with self._loading:
            held = self._held
            if held is None or held.source != source:
                self._held = held = None
                progress(ProgressEvent(stage="loading the model", done=0, total=1, unit="models"))
                held = self._held = load_model(source, progress=progress)
                progress(ProgressEvent(stage="loading the model", done=1, total=1, unit="models"))
            return held

    def held(self, source: str) -> LanguageModel | None:
        """Return the model of `source` if it is in memory."""
        held = self._held
        return held if held is not None and held.source == source else None


def load(shelf: ModelShelf, source: str) -> Task:
    """Load a model; the result is its anatomy."""

    def run(report: Report, cancel: CancelToken) -> Anatomy:
        return shelf.get(source, progress=report).anatomy()

    return Task(kind="load", title=f"Loading {source}", inputs={"model": source}, function=run)


def lay_out(workspace: Workspace, *, atlas: str) -> Task:
    """Give every unit its place in the cortex; the result is the cortex's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        return cortex.lay_out(workspace, atlas, progress=report, cancel=cancel)

    return Task(
        kind="lay_out", title="Laying out the cortex", inputs={"atlas": atlas}, function=run
    )
