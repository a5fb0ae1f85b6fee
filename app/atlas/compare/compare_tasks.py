"""Tasks of the Compare page: an atlas applied to another recording. No streamlit here."""

from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas import cortex
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.matching import dual_regression
from fnprune_core.matching.dual_regression import Maps


@task("apply", "Applying the atlas")
def apply(run: Run, *, atlas: str, recording: str, maps: Maps) -> str:
    """Apply an atlas to another recording of its model; return the new atlas's id."""
    id = dual_regression.apply_atlas(run.workspace, atlas, recording, maps=maps, **run.watched)
    if has_cortex(run.workspace, atlas):
        cortex.lay_out(run.workspace, id, **run.watched)
    return id
