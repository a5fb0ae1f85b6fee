"""Tasks of several pages of the atlas: random directions beside its networks."""

from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas.chance.directions import make_directions

DIRECTIONS = "directions"


@task(DIRECTIONS, "Reading random directions")
def measure_directions(run: Run, *, atlas: str) -> str:
    """Make and keep an atlas's random directions; return the atlas's id."""
    make_directions(run.workspace, atlas, **run.watched)
    return atlas
