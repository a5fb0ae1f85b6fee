"""Task of the Trust page: measures of how far networks can be trusted. No streamlit here."""

from collections.abc import Sequence

from app.shell.jobs.tasks import Run, task
from fnprune_core.reliability import assess as reliability


@task("assess", "Measuring trust")
def assess(run: Run, *, atlas: str, parts: Sequence[str]) -> reliability.Assessed:
    """Measure how far networks can be trusted; each part is reported as it grows."""
    return reliability.assess(
        run.workspace, atlas, parts=parts, on_partial=run.report, **run.watched
    )
