"""Tasks of the lesson's buttons: lesions of a few seconds. No streamlit here."""

from app.learn import lesson
from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas import network_atlas
from fnprune_core.lesions import brief
from fnprune_core.lesions.brief import BriefResult, LesionDemonstration
from fnprune_core.recording import recording

LESION, PRUNE = "lesson-lesion", "lesson-prune"


def _demonstration(run: Run, model: str, atlas: str) -> LesionDemonstration:
    lesson_atlas = network_atlas.open_atlas(run.workspace, atlas)
    return LesionDemonstration(
        language_model=run.model(model),
        atlas=lesson_atlas,
        recording=recording.open_recording(run.workspace, lesson_atlas.decomposition.recording_id),
        documents=lesson.documents(),
    )


@task(LESION, "The model reads")
def lesion(run: Run, *, model: str, atlas: str, network: int) -> BriefResult:
    """Silence a network while short texts are read; losses by condition and domain result."""
    return brief.lesion(_demonstration(run, model, atlas), network, **run.watched)


@task(PRUNE, "The model reads")
def prune(run: Run, *, model: str, atlas: str) -> BriefResult:
    """Silence one unit in five by each rule; losses by condition and domain result."""
    return brief.prune_by_rules(_demonstration(run, model, atlas), **run.watched)
