"""Jobs that this page starts. No streamlit here."""

from app.shell.jobs import Report
from app.shell.tasks import Task
from fnprune_core.atlas import embedding
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace


def embed(workspace: Workspace, *, atlas: str) -> Task:
    """Place an atlas's units and networks in the plane; the result is the embedding's id."""

    def run(report: Report, cancel: CancelToken) -> str:
        return embedding.embed(workspace, atlas, progress=report, cancel=cancel)

    return Task(kind="embed", title="Embedding", inputs={"atlas": atlas}, function=run)
