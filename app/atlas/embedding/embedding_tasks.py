"""Task of the Embedding page: units and networks placed in the plane. No streamlit here."""

from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas import embedding


@task("embed", "Embedding")
def embed(run: Run, *, atlas: str) -> str:
    """Place an atlas's units and networks in the plane; return the embedding's id."""
    return embedding.embed(run.workspace, atlas, **run.watched)
