"""Jobs that this page starts. No streamlit here."""

from dataclasses import asdict

from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from app.shell.text_choice import TextChoice
from fnprune_core.atlas import cortex
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.progress import CancelToken
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage import Workspace


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
        return record_texts(
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
        id = group_ica.decompose(
            workspace, recording, settings=settings, progress=report, cancel=cancel
        )
        if settings.scope == "model":
            cortex.lay_out(workspace, id, progress=report, cancel=cancel)
        return id

    return Task(kind="decompose", title="Decomposing", inputs=inputs, function=run)
