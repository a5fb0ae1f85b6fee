"""User actions that span several stages: the example that a first visitor opens."""

from dataclasses import asdict, dataclass

from fnprune_core.atlas.cortex import lay_out
from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.errors import FnpruneError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleIds:
    """Ids of the precomputed example of a workspace."""

    recording_id: str
    decomposition_id: str


def example_settings() -> tuple[RecordingSettings, GroupICA]:
    """Return the settings with which the precomputed example is made."""
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
    example_ids = find_example(workspace)
    if example_ids is not None:
        lay_out(workspace, example_ids.decomposition_id, progress=progress, cancel=cancel)
        return example_ids
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
        write_checked_json(workspace.root / "example.json", asdict(ids))
    return ids


def find_example(workspace: Workspace) -> ExampleIds | None:
    """Return the precomputed example if it is there."""
    try:
        ids = ExampleIds(**read_checked_json(workspace.root / "example.json"))
        is_whole = workspace.has("recordings", ids.recording_id) and workspace.has(
            "decompositions", ids.decomposition_id
        )
    except (OSError, TypeError, FnpruneError):
        return None
    return ids if is_whole else None
