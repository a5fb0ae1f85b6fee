"""Task of the Probe page: a text read. No streamlit here."""

from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas.probe import Reading
from fnprune_core.matching import dual_regression


@task("probe", "Reading the text")
def probe(run: Run, *, model: str, atlas: str, text: str) -> Reading:
    """Read a text and find the strength of each network in it; return the reading."""
    language_model = run.model(model)
    network_probe = dual_regression.open_probe(run.workspace, atlas)
    return network_probe.read(language_model, text, **run.watched)
