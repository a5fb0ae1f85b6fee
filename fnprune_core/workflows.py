"""One function per user action: find finished work, else do it and save it.

Used by buttons and commands alike. Everything is found again by the hash of its inputs. Plans
and comparisons have modules of their own, and are here under the same names.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from transformers import PreTrainedModel

from fnprune_core.artifacts import (
    cortex_id,
    has_cortex,
    open_atlas,
    open_cortex,
    open_evaluation,
    open_plan,
    open_recording,
    open_refits,
)
from fnprune_core.atlas.cortex import build_cortex
from fnprune_core.atlas.embedding import embed, embedding_id, has_embedding, open_embedding
from fnprune_core.atlas.files import network_names, open_grid, write_volumes
from fnprune_core.atlas.probe import NetworkProbe
from fnprune_core.decomposition.group_ica import Decomposition, GroupICA
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.compare import (
    check_overlap,
    compare,
    evaluate,
    evaluation_windows,
    evaluations_of,
)
from fnprune_core.evaluation.side_by_side import generate, open_generation
from fnprune_core.export.export import check_target, relative_difference
from fnprune_core.export.from_workspace import export, export_bytes, why_no_form
from fnprune_core.export.rounding import Fit, fit_of, plan_again, plan_for_form
from fnprune_core.export.speed import measure_speed, open_speed, speed_forms, speeds_of
from fnprune_core.localizers.run import localize, localizers_of, open_localizer
from fnprune_core.matching.dual_regression import apply_atlas, template_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.pruning.head_planner import check_attention_ratio, expected_share
from fnprune_core.pruning.importing import import_plan
from fnprune_core.pruning.planner import (
    bias_warning,
    canonical_settings,
    plan,
    plans,
    share_of_parameters,
)
from fnprune_core.pruning.slicing import prune
from fnprune_core.pruning.sweep import estimate_sweep, sweep
from fnprune_core.recording.recording import (
    RecordingSettings,
    record,
    recording_bytes,
    signals_of,
    stacked_ids,
)
from fnprune_core.reliability.assess import (
    NEED_HALVES,
    PARTS,
    Assessed,
    Measured,
    assess,
    assessment_ids,
    check_parts,
    open_assessment,
    trust_table,
    why_no_halves,
)
from fnprune_core.storage import (
    Workspace,
    artifact_id,
    read_json,
    storage_errors,
    write_json,
)
from fnprune_core.texts.cutting import Document, Windows, builtin_documents, cut_windows

__all__ = [
    "NEED_HALVES",
    "PARTS",
    "Assessed",
    "ExampleIds",
    "Fit",
    "Measured",
    "PrunedCopy",
    "RecordingEstimate",
    "apply_atlas",
    "assess",
    "assessment_ids",
    "bias_warning",
    "canonical_settings",
    "check_attention_ratio",
    "check_overlap",
    "check_parts",
    "check_target",
    "compare",
    "convergence_note",
    "decompose",
    "embed",
    "embedding_id",
    "estimate_recording",
    "estimate_sweep",
    "evaluate",
    "evaluation_windows",
    "evaluations_of",
    "example",
    "example_settings",
    "expected_share",
    "export",
    "export_bytes",
    "find_example",
    "fit_of",
    "generate",
    "has_cortex",
    "has_embedding",
    "import_plan",
    "lay_out",
    "localize",
    "localizers_of",
    "measure_pruned_copy",
    "measure_speed",
    "network_names",
    "open_assessment",
    "open_atlas",
    "open_cortex",
    "open_embedding",
    "open_evaluation",
    "open_generation",
    "open_grid",
    "open_localizer",
    "open_plan",
    "open_probe",
    "open_recording",
    "open_refits",
    "open_speed",
    "plan",
    "plan_again",
    "plan_for_form",
    "plans",
    "record_texts",
    "share_of_parameters",
    "speed_forms",
    "speeds_of",
    "sweep",
    "trust_table",
    "why_no_form",
    "why_no_halves",
    "windows_for",
    "write_volumes",
]


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
    language_model.check_window(settings.window)
    return cut_windows(
        documents,
        language_model.tokenizer,
        window=settings.window,
        n_dummy_tokens=settings.n_dummy_tokens,
        pack=settings.pack,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
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


def lay_out(
    workspace: Workspace,
    decomposition_id: str,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Give every unit its place in the cortex of a decomposition; return the cortex's id."""
    atlas = open_atlas(workspace, decomposition_id)
    id = cortex_id(atlas.id)
    if not workspace.has("layouts", id):
        cortex = build_cortex(atlas.maps, atlas.layout, progress=progress, cancel=cancel)
        cortex.save(workspace.folder("layouts", id), {"decomposition_id": atlas.id})
    return id


def open_probe(workspace: Workspace, decomposition_id: str) -> NetworkProbe:
    """Return an atlas made ready to read texts; needs its recording, and a template's maps."""
    atlas = open_atlas(workspace, decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    return NetworkProbe.prepare(atlas, recording, template=template_of(workspace, atlas))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedCopy:
    """What cutting a plan's units out of a copy gave.

    Parameters
    ----------
    n_units_removed, n_parameters_dense, n_parameters_pruned : int
    speed_ups : tuple of float
        Seconds of a dense forward pass over those of a pruned one, for each repeat.
    logits_difference : float
        ‖pruned − silenced‖ / ‖silenced‖ of the logits.
    """

    n_units_removed: int
    n_parameters_dense: int
    n_parameters_pruned: int
    speed_ups: tuple[float, ...]
    logits_difference: float


def measure_pruned_copy(
    workspace: Workspace, language_model: LanguageModel, plan_id: str, *, n_repeats: int = 5
) -> PrunedCopy:
    """Prune a copy in memory, compare it with the silenced model, and time both."""
    made, refits = open_plan(workspace, plan_id), open_refits(workspace, plan_id)
    dense, pruned = language_model.model, prune(language_model, made, refits=refits)
    n_tokens = min(512, language_model.context_size or 512)
    generator = torch.Generator().manual_seed(0)
    vocabulary = language_model.anatomy().vocabulary_size
    ids = torch.randint(vocabulary, (1, n_tokens), generator=generator).to(language_model.device)

    def seconds(model: PreTrainedModel) -> float:
        start = time.perf_counter()
        float(model(ids, use_cache=False).logits[0, -1, 0])  # waits for the device
        return time.perf_counter() - start

    with language_model.lock, torch.inference_mode():
        with silenced(language_model, made.removed, refits=refits):
            expected = dense(ids, use_cache=False).logits
        difference = relative_difference(pruned(ids, use_cache=False).logits, expected)
        speed_ups = tuple(seconds(dense) / seconds(pruned) for _ in range(n_repeats))
    return PrunedCopy(
        n_units_removed=made.n_removed,
        n_parameters_dense=dense.num_parameters(),
        n_parameters_pruned=pruned.num_parameters(),
        speed_ups=speed_ups,
        logits_difference=difference,
    )


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
    """Record, decompose and lay out the built-in texts with the embedded model, or find it.

    The result is noted in ``example.json`` of the workspace, so that finding it needs no model.
    """
    found = find_example(workspace)
    if found is not None:
        lay_out(workspace, found.decomposition_id, progress=progress, cancel=cancel)
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
    lay_out(workspace, decomposition_id, progress=progress, cancel=cancel)
    ids = ExampleIds(recording_id=recording_id, decomposition_id=decomposition_id)
    with storage_errors(workspace.root):
        write_json(workspace.root / "example.json", asdict(ids))
    return ids


def find_example(workspace: Workspace) -> ExampleIds | None:
    """Return the precomputed example if it is there."""
    try:
        ids = ExampleIds(**read_json(workspace.root / "example.json"))
        is_whole = workspace.has("recordings", ids.recording_id) and workspace.has(
            "decompositions", ids.decomposition_id
        )
    except (OSError, TypeError, FnpruneError):
        return None
    return ids if is_whole else None
