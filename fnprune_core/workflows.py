"""One function per user action: find finished work, else do it and save it.

Used by buttons and commands alike. Everything is found again by the hash of its inputs.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from fnprune_core.architectures import feeding_modules, output_projections
from fnprune_core.compensation import Cut, compensate, compensation_named, uses_bias
from fnprune_core.corpora import Document, Windows, builtin_documents, cut_windows, shared_run
from fnprune_core.decomposition import Decomposition, GroupICA
from fnprune_core.errors import (
    CorruptArtifactError,
    FnpruneError,
    OverlapError,
    PlanError,
)
from fnprune_core.evaluation import Perplexity, perplexity_stream
from fnprune_core.export import Figure, export_model
from fnprune_core.models import LanguageModel, load_model
from fnprune_core.networks import NetworkAtlas
from fnprune_core.plans import PLAN_FILE, PlanSettings, PruningPlan, choose_units
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording import (
    Recording,
    RecordingSettings,
    record,
    recording_bytes,
    signals_of,
    stacked_ids,
)
from fnprune_core.scores import SCORES, ScoreInputs, score_named, sink_units
from fnprune_core.silencing import Refit, silenced
from fnprune_core.storage import (
    MANIFEST,
    Workspace,
    artifact_id,
    manifest_of,
    new_folder,
    read_json,
    read_manifest,
    storage_errors,
    write_json,
)

REFITS_FILE = "refits.safetensors"
OVERLAP_LENGTH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEstimate:
    """What a recording will take, before it starts."""

    n_tokens: int
    n_sessions: int
    seconds: float
    disk_bytes: int
    memory_bytes: int


def windows_for(
    language_model: LanguageModel, documents: Sequence[Document], settings: RecordingSettings
) -> Windows:
    """Return the windows that a recording with these settings reads."""
    return cut_windows(
        documents,
        language_model.tokenizer,
        window=settings.window,
        n_dummy_tokens=settings.n_dummy_tokens,
        pack=settings.pack,
        max_tokens=settings.max_tokens,
    )


def estimate_recording(
    language_model: LanguageModel, windows: Windows, settings: RecordingSettings
) -> RecordingEstimate:
    """Return time, disk and memory of a recording, from one timed pass over a short stretch."""
    ids = stacked_ids(windows, range(1))[:, :128]
    signals_of(language_model, ids)  # the first pass also warms up
    start = time.perf_counter()
    signals_of(language_model, ids)
    per_token = (time.perf_counter() - start) / ids.shape[1]
    anatomy = language_model.anatomy()
    batch_tokens = settings.batch_size * settings.window
    return RecordingEstimate(
        n_tokens=windows.n_tokens,
        n_sessions=windows.n_windows,
        seconds=per_token * windows.n_tokens,
        disk_bytes=recording_bytes(windows, language_model.layout),
        memory_bytes=anatomy.parameter_bytes
        + batch_tokens * (12 * anatomy.n_units + 6 * anatomy.vocabulary_size),
    )


def record_texts(
    workspace: Workspace,
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    settings: RecordingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Record the documents; return the recording's id. Found if done, resumed if stopped."""
    windows = windows_for(language_model, documents, settings)
    return record(
        workspace, language_model, windows, settings=settings, progress=progress, cancel=cancel
    )


def open_recording(workspace: Workspace, recording_id: str) -> Recording:
    """Return a recording of the workspace; `recording_id` may be an unambiguous beginning."""
    return Recording(workspace.existing("recordings", recording_id))


def decompose(
    workspace: Workspace,
    recording_id: str,
    *,
    settings: GroupICA,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Find a recording's networks; return the decomposition's id.

    A `NotConvergedWarning` is raised as a warning; the result says it too (``converged``).
    """
    recording = open_recording(workspace, recording_id)
    inputs = {"recording_id": recording.id, "settings": settings.settings()}
    id = artifact_id("decompositions", inputs)
    if not workspace.has("decompositions", id):
        settings.fit(recording, progress=progress, cancel=cancel)
        settings.result_.save(workspace.folder("decompositions", id), inputs)
    return id


def convergence_note(decomposition: Decomposition) -> str:
    """Return a sentence for the person if ICA runs did not converge, else an empty string."""
    failed = int((~decomposition.converged).sum())
    if not failed:
        return ""
    n_runs = len(decomposition.converged)
    return (
        f"{failed} of {n_runs} ICA runs did not converge within "
        f"{decomposition.settings['max_iter']} iterations"
        + ("; the best of the others is shown." if failed < n_runs else ": do not trust the maps.")
        + " Raise the iteration limit, lower K or record more tokens."
    )


def open_atlas(workspace: Workspace, decomposition_id: str) -> NetworkAtlas:
    """Return the networks of a decomposition with their recording's tokens."""
    decomposition = Decomposition.load(workspace.existing("decompositions", decomposition_id))
    return NetworkAtlas(decomposition, open_recording(workspace, decomposition.recording_id).tokens)


def canonical_settings(settings: PlanSettings) -> PlanSettings:
    """Return the settings with what the score fixes or ignores, so that equal plans are equal."""
    row = score_named(settings.score)
    changes: dict[str, Any] = {}
    if row.allocation is not None:
        changes["allocation"] = row.allocation
    if row.sink_units is not None:
        changes["sink_units"] = row.sink_units
    if not row.uses_networks:
        changes["preserved"] = None
    if settings.score != "random":
        changes["seed"] = 0
    compensation_named(settings.compensation)
    if settings.compensation != "least-squares":
        changes["intercept"] = False
    return settings.with_(**changes)


def plan(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: PlanSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Choose the units that go and compute their compensation; return the plan's id."""
    return plans(
        workspace,
        language_model,
        recording_id=recording_id,
        decomposition_id=decomposition_id,
        settings=[settings],
        progress=progress,
        cancel=cancel,
    )[0]


def plans(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: Sequence[PlanSettings],
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[str]:
    """Make several plans at once: those that weigh tokens alike share one pass for their refits.

    Raises
    ------
    RatioError
        If a ratio cannot be met, saying the most that can.
    FingerprintMismatchError
        If the recording is of another model.
    """
    recording = open_recording(workspace, recording_id)
    language_model.check_fingerprint(recording.fingerprint, "recording")
    wanted = [canonical_settings(each) for each in settings]
    atlas = None
    if decomposition_id is not None:
        atlas = open_atlas(workspace, decomposition_id)
        if atlas.decomposition.recording_id != recording.id:
            raise PlanError(
                f"Decomposition {atlas.id} was made from recording "
                f"{atlas.decomposition.recording_id}, not {recording.id}.",
                hint="Choose a decomposition of this recording.",
            )
        wanted = [_spell_out(each, atlas) for each in wanted]
    planner = _Planner(workspace, language_model, recording, atlas, progress, cancel)
    return planner.make(wanted)


def _spell_out(settings: PlanSettings, atlas: NetworkAtlas) -> PlanSettings:
    """Return the settings with "all networks" and a full list written the same way."""
    if settings.preserved is None:
        return settings
    for network in settings.preserved:
        atlas.check_network(network)
    whole = len(settings.preserved) == atlas.n_networks
    return settings.with_(preserved=None) if whole else settings


class _Planner:
    """Makes plans for one recording, sharing scores and calibration passes."""

    def __init__(
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        recording: Recording,
        atlas: NetworkAtlas | None,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.recording, self.atlas = recording, atlas
        self.progress, self.cancel = progress, cancel
        self._scores: dict[Any, NDArray[np.float64]] = {}

    def make(self, wanted: Sequence[PlanSettings]) -> list[str]:
        """Return the ids of the plans, making those that are missing."""
        inputs = [self._inputs_json(settings) for settings in wanted]
        ids = [artifact_id("plans", each) for each in inputs]
        missing = [i for i, id in enumerate(ids) if not self.workspace.has("plans", id)]
        made = {i: self._plan(wanted[i]) for i in missing}
        groups: dict[bytes, list[int]] = {}
        weights: dict[bytes, NDArray[np.float64]] = {}
        for i in missing:
            each = SCORES[wanted[i].score].token_weights(self._score_inputs(wanted[i]))
            key = each.tobytes()
            weights[key] = each
            groups.setdefault(key, []).append(i)
        for key, members in groups.items():
            cuts = [
                Cut(
                    removed=made[i].removed,
                    compensation=wanted[i].compensation,
                    intercept=wanted[i].intercept,
                )
                for i in members
            ]
            refits = compensate(
                self.language_model, self.recording, cuts, weights=weights[key],
                progress=self.progress, cancel=self.cancel,
            )  # fmt: skip
            for i, each_refits in zip(members, refits, strict=True):
                if not self.workspace.has("plans", ids[i]):
                    self._save(ids[i], inputs[i], made[i], each_refits, weights[key])
        return ids

    def _inputs_json(self, settings: PlanSettings) -> dict[str, Any]:
        uses_networks = SCORES[settings.score].uses_networks
        return {
            "fingerprint": self.language_model.fingerprint,
            "recording_id": self.recording.id,
            "decomposition_id": self.atlas.id if self.atlas and uses_networks else "",
            "settings": asdict(settings),
        }

    def _score_inputs(self, settings: PlanSettings) -> ScoreInputs:
        preserved = settings.preserved
        if preserved is None:
            preserved = tuple(range(self.atlas.n_networks)) if self.atlas else ()
        return ScoreInputs(
            language_model=self.language_model,
            recording=self.recording,
            atlas=self.atlas,
            preserved=preserved,
            seed=settings.seed,
            progress=self.progress,
            cancel=self.cancel,
        )

    def _plan(self, settings: PlanSettings) -> PruningPlan:
        row = SCORES[settings.score]
        inputs = self._score_inputs(settings)
        key = (settings.score, settings.preserved, settings.seed)
        if key not in self._scores:
            self._scores[key] = row.compute(inputs)
        sinks = sink_units(self.language_model, self.recording, settings.sink_units)
        choice = choose_units(
            self._scores[key],
            layout=self.recording.layout,
            ratio=settings.ratio,
            allocation=settings.allocation,
            protected=sinks,
        )
        return PruningPlan(
            removed=choice.removed,
            layout=self.recording.layout,
            settings=settings,
            fingerprint=self.language_model.fingerprint,
            model_name=self.language_model.name,
            recording_id=self.recording.id,
            decomposition_id=self.atlas.id if self.atlas and row.uses_networks else "",
            share_of_parameters=share_of_parameters(self.language_model, choice.removed),
            thresholds=choice.thresholds,
            sink_units=tuple(int(u) for u in np.flatnonzero(sinks)),
            preserved=inputs.preserved if row.uses_networks else (),
            n_networks=self.atlas.n_networks if self.atlas else 0,
        )

    def _save(
        self,
        id: str,
        inputs: dict[str, Any],
        made: PruningPlan,
        refits: Sequence[Refit],
        weights: NDArray[np.float64],
    ) -> None:
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        facts = {
            "model_name": made.model_name,
            "achieved_ratio": made.achieved_ratio,
            "share_of_parameters": made.share_of_parameters,
            "cut_key": cut_key(made, refits),
            "tokens_per_unit": effective / max(made.layout.widths),
        }
        with new_folder(self.workspace.folder("plans", id)) as folder:
            write_plan(folder, made, refits)
            write_json(folder / MANIFEST, manifest_of("plans", inputs, facts))


def share_of_parameters(
    language_model: LanguageModel, removed: Sequence[NDArray[np.int64]]
) -> float:
    """Return the share of all parameters that goes with the units: their columns and rows."""
    gone = 0
    for layer, module in enumerate(
        output_projections(language_model.model, language_model.architecture)
    ):
        width = language_model.layout.widths[layer]
        per_unit = module.get_parameter("weight").numel() // width
        for feeding in feeding_modules(language_model.model, language_model.architecture, layer):
            per_unit += sum(p.numel() for p in feeding.parameters()) // width
        gone += per_unit * len(removed[layer])
    return gone / language_model.anatomy().n_parameters


def cut_key(made: PruningPlan, refits: Sequence[Refit]) -> str:
    """Return a hash of what goes and what replaces it: equal keys give equal models."""
    digest = hashlib.sha256(made.removal_key().encode())
    for layer, refit in enumerate(refits):
        for name, tensor in (("columns", refit.columns), ("bias", refit.bias)):
            if tensor is not None:
                digest.update(f"{layer}.{name}".encode())
                digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def write_plan(folder: Path, made: PruningPlan, refits: Sequence[Refit]) -> None:
    """Write ``plan.json`` and the refits' tensors into a folder."""
    write_json(folder / PLAN_FILE, made.to_json())
    tensors = {
        f"{layer}.{name}": tensor.contiguous()
        for layer, refit in enumerate(refits)
        for name, tensor in (("columns", refit.columns), ("bias", refit.bias))
        if tensor is not None
    }
    save_file(tensors, folder / REFITS_FILE)


def open_plan(workspace: Workspace, plan_id: str) -> PruningPlan:
    """Return a plan of the workspace; `plan_id` may be an unambiguous beginning."""
    return PruningPlan.read(workspace.existing("plans", plan_id))


def open_refits(workspace: Workspace, plan_id: str) -> list[Refit]:
    """Return the compensation of a plan, one refit a layer."""
    folder = workspace.existing("plans", plan_id)
    made = PruningPlan.read(folder)
    return _read_refits(folder / REFITS_FILE, made.layout.n_layers)


def _read_refits(path: Path, n_layers: int) -> list[Refit]:
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        raise CorruptArtifactError(
            f"{path} is missing or damaged.", hint="Make the plan again."
        ) from error
    return [
        Refit(columns=tensors.get(f"{layer}.columns"), bias=tensors.get(f"{layer}.bias"))
        for layer in range(n_layers)
    ]


def import_plan(workspace: Workspace, language_model: LanguageModel, path: Path) -> str:
    """Take a ``plan.json`` (or its folder) from anywhere into the workspace; return its id.

    The compensation is read beside it, or computed again from the plan's recording.

    Raises
    ------
    FingerprintMismatchError
        If the plan is for another model.
    PlanError
        If the compensation is neither beside the file nor can be computed here.
    """
    made = PruningPlan.read(path)
    language_model.check_fingerprint(made.fingerprint, "plan")
    beside = (path if path.is_dir() else path.parent) / REFITS_FILE
    if beside.is_file():
        refits = _read_refits(beside, made.layout.n_layers)
    elif made.settings.compensation == "none":
        refits = [Refit()] * made.layout.n_layers
    elif workspace.has("recordings", made.recording_id):
        return plan(
            workspace,
            language_model,
            recording_id=made.recording_id,
            decomposition_id=made.decomposition_id or None,
            settings=made.settings,
        )
    else:
        raise PlanError(
            f"{path} asks for compensation {made.settings.compensation!r}, but there is no "
            f"{REFITS_FILE} beside it and its recording {made.recording_id} is not here.",
            hint="Give the plan's whole folder, or record the calibration text again.",
        )
    key = cut_key(made, refits)
    id = artifact_id("plans", {"imported": made.to_json(), "cut_key": key})
    if not workspace.has("plans", id):
        facts = {
            "model_name": made.model_name,
            "achieved_ratio": made.achieved_ratio,
            "share_of_parameters": made.share_of_parameters,
            "cut_key": key,
        }
        with new_folder(workspace.folder("plans", id)) as folder:
            write_plan(folder, made, refits)
            write_json(folder / MANIFEST, manifest_of("plans", {"imported": True}, facts))
    return id


def evaluation_windows(
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    window: int = 512,
    max_windows: int | None = None,
    pack: bool = False,
) -> Windows:
    """Return the windows on which perplexity is measured."""
    return cut_windows(
        documents,
        language_model.tokenizer,
        window=window,
        n_dummy_tokens=0,
        pack=pack,
        max_tokens=None if max_windows is None else max_windows * window,
    )


def check_overlap(recording: Recording, windows: Windows) -> None:
    """Raise `OverlapError` if calibration and evaluation share a run of 50 tokens."""
    position = shared_run(recording.windows, windows, length=OVERLAP_LENGTH)
    if position is not None:
        document = windows.document_names[windows.document_index[position]]
        raise OverlapError(
            f"The evaluation text shares a run of {OVERLAP_LENGTH} tokens with the calibration "
            f"text (in {document!r}, token {position}), so its perplexity would not be a result.",
            hint="Evaluate on a text that the recording did not read.",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Condition:
    """One model state to evaluate: dense, or silenced by a plan."""

    id: str
    inputs: dict[str, Any]
    facts: dict[str, Any]
    context: Callable[[], AbstractContextManager[None]]


def _condition(
    workspace: Workspace, language_model: LanguageModel, windows: Windows, plan_id: str | None
) -> _Condition:
    inputs: dict[str, Any] = {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "text_sha256": windows.text_sha256,
        "window": windows.window,
        "cut_key": "dense",
    }
    facts: dict[str, Any] = {"model_name": language_model.name, "plan_id": plan_id or ""}
    context: Callable[[], AbstractContextManager[None]] = partial(
        silenced, language_model, [np.empty(0, dtype=np.int64)] * language_model.layout.n_layers
    )
    if plan_id is not None:
        made = open_plan(workspace, plan_id)
        language_model.check_fingerprint(made.fingerprint, "plan")
        if workspace.has("recordings", made.recording_id):
            check_overlap(open_recording(workspace, made.recording_id), windows)
        folder = workspace.existing("plans", plan_id)
        inputs["cut_key"] = read_manifest(folder)["cut_key"]
        context = partial(
            silenced, language_model, made.removed, refits=open_refits(workspace, plan_id)
        )
    return _Condition(
        id=artifact_id("evaluations", inputs), inputs=inputs, facts=facts, context=context
    )


def compare(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_ids: Mapping[str, str | None],
    batch_size: int = 4,
    on_partial: Callable[[str, Perplexity], None] = lambda label, result: None,
    cancel: CancelToken = NEVER,
) -> dict[str, str]:
    """Evaluate several plans on the same windows, batch by batch in turn; return evaluation ids.

    Parameters
    ----------
    plan_ids : mapping
        Label to plan id; None for the dense model.
    on_partial : callable
        Told the label and the result so far after each batch; finished work is told once.

    Raises
    ------
    OverlapError
        If a plan was calibrated on this text.
    """
    conditions = {
        label: _condition(workspace, language_model, windows, plan_id)
        for label, plan_id in plan_ids.items()
    }
    streams: dict[str, Iterator[Perplexity]] = {}
    waiting: dict[str, list[str]] = {}
    for label, condition in conditions.items():
        if workspace.has("evaluations", condition.id):
            on_partial(label, Perplexity.load(workspace.folder("evaluations", condition.id)))
        elif condition.id in waiting:  # the same cut under another name: measured once
            waiting[condition.id].append(label)
        else:
            waiting[condition.id] = [label]
            streams[label] = perplexity_stream(
                language_model.model,
                windows,
                batch_size=batch_size,
                context=condition.context,
                cancel=cancel,
            )
    while streams:
        for label in list(streams):
            condition = conditions[label]
            result = next(streams[label], None)
            if result is None:
                del streams[label]
                continue
            for each in waiting[condition.id]:
                on_partial(each, result)
            if result.is_complete:
                target = workspace.folder("evaluations", condition.id)
                result.save(target, condition.inputs, condition.facts)
    return {label: condition.id for label, condition in conditions.items()}


def evaluate(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_id: str | None = None,
    on_partial: Callable[[Perplexity], None] = lambda result: None,
    cancel: CancelToken = NEVER,
) -> str:
    """Measure the perplexity of the dense model or of a plan; return the evaluation's id."""
    return compare(
        workspace,
        language_model,
        windows,
        plan_ids={"": plan_id},
        on_partial=lambda _, result: on_partial(result),
        cancel=cancel,
    )[""]


def open_evaluation(workspace: Workspace, evaluation_id: str) -> Perplexity:
    """Return a result of the workspace."""
    return Perplexity.load(workspace.existing("evaluations", evaluation_id))


def bias_warning(language_model: LanguageModel, settings: PlanSettings) -> str:
    """Return what to know before Apply if the plan's bias has no home in exports, else ""."""
    architecture = language_model.architecture
    if architecture.bias_home != "none" or not uses_bias(
        settings.compensation, intercept=settings.intercept
    ):
        return ""
    return (
        f"{architecture.family} models have no bias in their MLP: this plan can be measured, but "
        "not exported in a form that loads anywhere. Use none, or least squares without intercept."
    )


def export(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    target: Path,
    *,
    form: str = "masked",
    evaluation_ids: Mapping[str, str] | None = None,
    progress: Progress = ignore,
) -> Path:
    """Write a pruned model with the figures measured for it; return its folder.

    Parameters
    ----------
    evaluation_ids : mapping
        Label to evaluation id, for the model card.
    """
    made = open_plan(workspace, plan_id)
    language_model.check_fingerprint(made.fingerprint, "plan")
    figures = []
    for label, id in (evaluation_ids or {}).items():
        result = open_evaluation(workspace, id)
        figures.append(
            Figure(
                label=label,
                perplexity=result.perplexity,
                standard_error=result.standard_error,
                protocol=asdict(result.protocol),
            )
        )
    return export_model(
        language_model,
        made,
        target,
        form=form,
        refits=open_refits(workspace, plan_id),
        figures=figures,
        progress=progress,
    )


def evaluations_of(workspace: Workspace, plan_id: str) -> dict[str, str]:
    """Return the evaluations of a plan and of the dense model on the same texts, by label."""
    key = read_manifest(workspace.existing("plans", plan_id))["cut_key"]
    found: dict[str, str] = {}
    entries = workspace.entries("evaluations")
    pruned = [e for e in entries if e.manifest["inputs"]["cut_key"] == key]
    for entry in pruned:
        same = {k: v for k, v in entry.manifest["inputs"].items() if k != "cut_key"}
        text = str(same["text_sha256"])[:8]
        found[f"pruned, text {text}"] = entry.id
        for other in entries:
            if other.manifest["inputs"] == {**same, "cut_key": "dense"}:
                found[f"dense, text {text}"] = other.id
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleIds:
    """The precomputed example of a workspace."""

    recording_id: str
    decomposition_id: str


def example_settings() -> tuple[RecordingSettings, GroupICA]:
    """Return how the precomputed example is made."""
    return RecordingSettings(), GroupICA(n_components=64)


def example(
    workspace: Workspace,
    language_model: LanguageModel | None = None,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> ExampleIds:
    """Record and decompose the built-in texts with the embedded model, or find that work.

    The result is noted in ``example.json`` of the workspace, so that finding it needs no model.
    """
    found = find_example(workspace)
    if found is not None:
        return found
    model = language_model or load_model(progress=progress)
    recording_settings, ica = example_settings()
    recording_id = record_texts(
        workspace, model, builtin_documents(), settings=recording_settings,
        progress=progress, cancel=cancel,
    )  # fmt: skip
    decomposition_id = decompose(
        workspace, recording_id, settings=ica, progress=progress, cancel=cancel
    )
    ids = ExampleIds(recording_id=recording_id, decomposition_id=decomposition_id)
    with storage_errors(workspace.root):
        write_json(workspace.root / "example.json", asdict(ids))
    return ids


def find_example(workspace: Workspace) -> ExampleIds | None:
    """Return the precomputed example if it is there."""
    path = workspace.root / "example.json"
    try:
        ids = ExampleIds(**read_json(path))
    except (OSError, TypeError, FnpruneError):
        return None
    whole = workspace.has("recordings", ids.recording_id) and workspace.has(
        "decompositions", ids.decomposition_id
    )
    return ids if whole else None
