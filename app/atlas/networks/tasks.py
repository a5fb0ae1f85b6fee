"""Task of the Networks page: what of an atlas's maps is chance. No streamlit here."""

from app.shell.tasks import Run, task
from fnprune_core.atlas.chance import calibration


@task("calibrate", "Measuring chance")
def calibrate(run: Run, *, atlas: str) -> str:
    """Calibrate the thresholds of an atlas's maps; return the atlas's id."""
    calibration.calibrated(run.workspace, atlas, **run.watched)
    return atlas
