"""Task of the Localizers page: a run of a ready localizer or of one's own. No streamlit here."""

from collections.abc import Mapping
from typing import Any

from app.shell.jobs.tasks import Run, task
from fnprune_core.localizers import ready_made
from fnprune_core.localizers import run as localizer_run
from fnprune_core.localizers.stimuli import Localizer

KIND = "localize"


def _inputs(model: str, atlas: str, localizer: Localizer) -> Mapping[str, Any]:
    return {
        "model": model,
        "atlas": atlas,
        "localizer": localizer.name if localizer.name in ready_made.READY else "",
        "stimuli": localizer.sha256,
    }


@task(KIND, lambda localizer, **_: f"Localizer: {localizer.title}", inputs=_inputs)
def localize(run: Run, *, model: str, atlas: str, localizer: Localizer) -> str:
    """Run a localizer on an atlas; return the artifact's id."""
    return localizer_run.localize(run.workspace, run.model(model), atlas, localizer, **run.watched)
