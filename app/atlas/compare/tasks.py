"""What the page Compare starts. No streamlit here."""

from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core.atlas import cortex
from fnprune_core.matching import dual_regression
from fnprune_core.matching.dual_regression import Maps
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace


def apply(workspace: Workspace, *, atlas: str, recording: str, maps: Maps) -> Task:
    """Apply an atlas to another recording of its model; the result is the new atlas's id."""
    inputs = {"atlas": atlas, "recording": recording, "maps": maps}

    def run(report: Report, cancel: CancelToken) -> str:
        id = dual_regression.apply_atlas(
            workspace, atlas, recording, maps=maps, progress=report, cancel=cancel
        )
        if cortex.has_cortex(workspace, atlas):
            cortex.lay_out(workspace, id, progress=report, cancel=cancel)
        return id

    return Task(kind="apply", title="Applying the atlas", inputs=inputs, function=run)
