"""What the lesson's buttons start: lesions of a few seconds. No streamlit here."""

from app.learn import lesson
from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from fnprune_core.atlas import network_atlas
from fnprune_core.lesions import brief
from fnprune_core.lesions.brief import Losses, Patient
from fnprune_core.progress import CancelToken
from fnprune_core.recording import recording
from fnprune_core.storage import Workspace

LESION, PRUNE = "lesson-lesion", "lesson-prune"


def _patient(
    shelf: ModelShelf, workspace: Workspace, model: str, atlas: str, report: Report
) -> Patient:
    opened = network_atlas.open_atlas(workspace, atlas)
    return Patient(
        language_model=shelf.get(model, progress=report),
        atlas=opened,
        recording=recording.open_recording(workspace, opened.decomposition.recording_id),
        documents=lesson.documents(),
    )


def lesion(
    shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str, network: int
) -> Task:
    """Silence a network while short texts are read; losses by condition and domain result."""

    def run(report: Report, cancel: CancelToken) -> Losses:
        patient = _patient(shelf, workspace, model, atlas, report)
        return brief.lesion(patient, network, progress=report, cancel=cancel)

    inputs = {"model": model, "atlas": atlas, "network": network}
    return Task(kind=LESION, title="The model reads", inputs=inputs, function=run)


def prune(shelf: ModelShelf, workspace: Workspace, *, model: str, atlas: str) -> Task:
    """Silence one unit in five by each rule; losses by condition and domain result."""

    def run(report: Report, cancel: CancelToken) -> Losses:
        patient = _patient(shelf, workspace, model, atlas, report)
        return brief.prune_by_rules(patient, progress=report, cancel=cancel)

    inputs = {"model": model, "atlas": atlas}
    return Task(kind=PRUNE, title="The model reads", inputs=inputs, function=run)
