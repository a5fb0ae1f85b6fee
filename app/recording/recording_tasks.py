"""Tasks of the Record and Decompose pages. No streamlit here."""

from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.atlas import cortex
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings


@task("record", "Recording")
def record(run: Run, *, model: str, texts: TextChoice, settings: RecordingSettings) -> str:
    """Record texts; return the recording's id."""
    return record_texts(
        run.workspace, run.model(model), run.documents(texts), settings=settings, **run.watched
    )


@task(
    "decompose",
    "Decomposing",
    inputs=lambda recording, settings: {"recording": recording, "settings": settings.settings()},
)
def decompose(run: Run, *, recording: str, settings: GroupICA) -> str:
    """Find networks; return the decomposition's id."""
    id = group_ica.decompose(run.workspace, recording, settings=settings, **run.watched)
    if settings.scope == "model":
        cortex.lay_out(run.workspace, id, **run.watched)
    return id
