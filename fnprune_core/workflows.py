"""User actions that span several stages: the example that a first visitor opens."""

from dataclasses import replace

from fnprune_core.atlas.chance.directions import make_directions
from fnprune_core.atlas.cortex import lay_out
from fnprune_core.atlas.naming.promoted import keep_promoted
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.example.beforehand import take_over
from fnprune_core.example.ids import ExampleIds, find_example, note
from fnprune_core.example.study import make_study
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


def example_settings() -> tuple[RecordingSettings, GroupICA]:
    """Return the settings with which the example is made."""
    return RecordingSettings(), GroupICA(n_components=64)


def example(
    workspace: Workspace,
    language_model: LanguageModel | None = None,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> ExampleIds:
    """Make the worked example with the embedded model, or find it: atlas, plans, experiments.

    What takes long beside is shipped (`take_over`). The result is noted in ``example.json`` of the
    workspace, so that finding it needs no model.
    """
    ids = find_example(workspace)
    if ids is not None and ids.is_finished:
        lay_out(workspace, ids.decomposition_id, progress=progress, cancel=cancel)
        return ids
    model = language_model or load_model(progress=progress)
    if ids is None:
        ids = _atlas(workspace, model, progress, cancel)
        note(workspace, ids)
    lay_out(workspace, ids.decomposition_id, progress=progress, cancel=cancel)
    take_over(workspace, ids.decomposition_id)
    _keep_promoted(workspace, model, ids)
    make_directions(workspace, ids.decomposition_id, progress=progress, cancel=cancel)
    make_study(
        workspace, model, recording_id=ids.recording_id, atlas_id=ids.decomposition_id,
        progress=progress, cancel=cancel,
    )  # fmt: skip
    ids = replace(ids, is_finished=True)
    note(workspace, ids)
    return ids


def _atlas(
    workspace: Workspace, model: LanguageModel, progress: Progress, cancel: CancelToken
) -> ExampleIds:
    recording_settings, ica = example_settings()
    recording_id = record_texts(
        workspace, model, builtin_documents(), settings=recording_settings,
        progress=progress, cancel=cancel,
    )  # fmt: skip
    decomposition_id = decompose(
        workspace, recording_id, settings=ica, progress=progress, cancel=cancel
    )
    return ExampleIds(recording_id=recording_id, decomposition_id=decomposition_id)


def _keep_promoted(workspace: Workspace, model: LanguageModel, ids: ExampleIds) -> None:
    """Store what the networks promote: names and search then need no model for it."""
    atlas = open_atlas(workspace, ids.decomposition_id)
    keep_promoted(workspace, model, atlas, open_recording(workspace, ids.recording_id).std)
