"""What each button starts: a job's name, its inputs and its function. No streamlit here."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.html.atlas_page import write_atlas_page
from app.shell.jobs import JobFunction, Report
from app.shell.text_choice import TextChoice
from fnprune_core import workflows
from fnprune_core.atlas.probe import Reading
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation.perplexity import Perplexity
from fnprune_core.matching.dual_regression import Maps
from fnprune_core.models.language_model import Anatomy, LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.pruning import preview_files
from fnprune_core.pruning.sweep import RANDOM
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage import Workspace

DENSE = "dense"
PLAN = "your plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job to be submitted."""

    kind: str
    title: str
    inputs: Mapping[str, Any]
    function: JobFunction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partial:
    """Perplexity so far of one model in a comparison."""

    label: str
    result: Perplexity


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The plans of a comparison, made and about to be measured.

    Parameters
    ----------
    note : str
        For the person.
    order : PruneOrder
        What was asked for: the same again goes on where this was stopped.
    """

    plan_ids: Mapping[str, str | None]
    note: str
    order: "PruneOrder | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Result of `prune`: ids of the plans and of their evaluations, by label."""

    plan_ids: Mapping[str, str | None]
    evaluation_ids: Mapping[str, str]


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


def example(workspace: Workspace) -> Task:
    """Build the example; the result holds its ids."""

    def run(report: Report, cancel: CancelToken) -> workflows.ExampleIds:
        return workflows.example(workspace, progress=report, cancel=cancel)

    return Task(kind="example", title="Building the example", inputs={}, function=run)


def record(
    shelf: ModelShelf,
    workspace: Workspace,
    *,
    model: str,
    texts: TextChoice,
    settings: RecordingSettings,
) -> Task:
    """Record texts; the result is the recording's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        return workflows.record_texts(
            workspace,
            language_model,
            texts.documents(),
            settings=settings,
            progress=report,
            cancel=cancel,
        )

    inputs = {"model": model, "texts": texts.to_json(), "settings": asdict(settings)}
    return Task(kind="record", title="Recording", inputs=inputs, function=run)


def decompose(workspace: Workspace, *, recording: str, settings: GroupICA) -> Task:
    """Find networks; the result is the decomposition's id."""
    inputs = {"recording": recording, "settings": settings.settings()}

    def run(report: Report, cancel: CancelToken) -> str:
        id = workflows.decompose(
            workspace, recording, settings=settings, progress=report, cancel=cancel
        )
        if settings.scope == "model":
            workflows.lay_out(workspace, id, progress=report, cancel=cancel)
        return id

    return Task(kind="decompose", title="Decomposing", inputs=inputs, function=run)


def lay_out(workspace: Workspace, *, atlas: str) -> Task:
    """Give every unit its place in the cortex; the result is the cortex's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        return workflows.lay_out(workspace, atlas, progress=report, cancel=cancel)

    return Task(
        kind="lay_out", title="Laying out the cortex", inputs={"atlas": atlas}, function=run
    )


def embed(workspace: Workspace, *, atlas: str) -> Task:
    """Place an atlas's units and networks in the plane; the result is the embedding's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        return workflows.embed(workspace, atlas, progress=report, cancel=cancel)

    return Task(kind="embed", title="Embedding", inputs={"atlas": atlas}, function=run)


def prepare_preview(shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str) -> Task:
    """Prepare an atlas's preview; the result is its id."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        return preview_files.prepare_preview(
            workspace, language_model, atlas, progress=report, cancel=cancel
        )

    inputs = {"model": model, "atlas": atlas}
    return Task(kind="preview", title="Preparing the preview", inputs=inputs, function=run)


def probe(shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str, text: str) -> Task:
    """Read a text and find the strength of each network in it; the result is the reading."""

    def run(report: Report, cancel: CancelToken) -> Reading:
        language_model = shelf.get(model, progress=report)
        ready = workflows.open_probe(workspace, atlas)
        return ready.read(language_model, text, progress=report, cancel=cancel)

    inputs = {"model": model, "atlas": atlas, "text": text}
    return Task(kind="probe", title="Reading the text", inputs=inputs, function=run)


def assess(workspace: Workspace, *, atlas: str, parts: Sequence[str]) -> Task:
    """Measure how far networks can be trusted; each part is reported as it grows."""

    def run(report: Report, cancel: CancelToken) -> workflows.Assessed:
        return workflows.assess(
            workspace, atlas, parts=parts, on_partial=report, progress=report, cancel=cancel
        )

    inputs = {"atlas": atlas, "parts": list(parts)}
    return Task(kind="assess", title="Measuring trust", inputs=inputs, function=run)


def apply(workspace: Workspace, *, atlas: str, recording: str, maps: Maps) -> Task:
    """Apply an atlas to another recording of its model; the result is the new atlas's id."""
    inputs = {"atlas": atlas, "recording": recording, "maps": maps}

    def run(report: Report, cancel: CancelToken) -> str:
        id = workflows.apply_atlas(
            workspace, atlas, recording, maps=maps, progress=report, cancel=cancel
        )
        if workflows.has_cortex(workspace, atlas):
            workflows.lay_out(workspace, id, progress=report, cancel=cancel)
        return id

    return Task(kind="apply", title="Applying the atlas", inputs=inputs, function=run)


def atlas_page(workspace: Workspace, *, atlas: str, z: float = 3.0) -> Task:
    """Write an atlas as one HTML file into the workspace's exports; its path results."""

    def run(report: Report, cancel: CancelToken) -> Path:
        target = workspace.root / "exports" / f"atlas-{atlas}.html"
        return write_atlas_page(workspace, atlas, target, z=z, progress=report, cancel=cancel)

    inputs = {"atlas": atlas, "z": z}
    return Task(kind="atlas_page", title="Writing the atlas", inputs=inputs, function=run)


def rival(score: str, seed: int) -> str:
    """Return the label of a baseline; each seed of the random score is one."""
    return f"{score}, seed {seed}" if score == RANDOM else score


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOrder:
    """What Apply was asked to do.

    Parameters
    ----------
    settings : PlanSettings
        Of the person's plan.
    baselines : tuple of str
        Rival scores, measured with the same networks, ratio, allocation, sink rule, pins and
        compensation.
    n_seeds : int
        Plans of the random score.
    """

    model: str
    recording: str
    atlas: str
    settings: PlanSettings
    baselines: tuple[str, ...]
    texts: TextChoice
    window: int = 512
    max_windows: int | None = 24
    n_seeds: int = 3

    def wanted(self) -> dict[str, PlanSettings]:
        """Return the plans to make, by label: the person's first."""
        wanted = {PLAN: self.settings}
        for name in self.baselines:
            for seed in range(self.n_seeds if name == RANDOM else 1):
                wanted[rival(name, seed)] = self.settings.with_(score=name, seed=seed)
        return wanted


def prune(shelf: ModelShelf, workspace: Workspace, order: PruneOrder) -> Task:
    """Make the plan and its baselines and measure them together; a `Comparison` results."""

    def run(report: Report, cancel: CancelToken) -> Comparison:
        language_model = shelf.get(order.model, progress=report)
        windows = workflows.evaluation_windows(
            language_model,
            order.texts.documents(),
            window=order.window,
            max_windows=order.max_windows,
        )
        wanted = order.wanted()
        made = workflows.plans(
            workspace,
            language_model,
            recording_id=order.recording,
            decomposition_id=order.atlas or None,
            settings=list(wanted.values()),
            progress=report,
            cancel=cancel,
        )
        plan_ids = {DENSE: None, **dict(zip(wanted, made, strict=True))}
        note = workflows.bias_warning(language_model, order.settings)
        report(Planned(plan_ids=plan_ids, note=note, order=order))
        evaluation_ids = workflows.compare(
            workspace,
            language_model,
            windows,
            plan_ids=plan_ids,
            on_partial=reading(report, plan_ids),
            cancel=cancel,
        )
        return Comparison(plan_ids=plan_ids, evaluation_ids=evaluation_ids)

    return Task(kind="prune", title="Pruning", inputs=asdict(order), function=run)


def reading(report: Report, labels: Mapping[str, str | None]) -> Any:
    """Return what `compare` calls: reports each result, and how many windows are read of all."""
    read = dict.fromkeys(labels, 0)

    def on_partial(label: str, result: Perplexity) -> None:
        read[label] = len(result.window_nll)
        report(Partial(label=label, result=result))
        report(
            ProgressEvent(
                stage="reading held-out text",
                done=sum(read.values()),
                total=result.n_windows_total * len(read),
                unit="windows",
            )
        )

    return on_partial
