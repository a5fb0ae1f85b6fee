"""Tasks of a network's page: what of its map is chance, writing at a gain, its attention heads."""

from app.shell.jobs.generation_tasks import watcher
from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas.chance import calibration
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.evaluation.generation import Generation
from fnprune_core.lesions.steering import Steered, SteeringOrder
from fnprune_core.lesions.steering import steer as steer_texts
from fnprune_core.recording.recording import open_recording
from fnprune_core.scores.network_heads import network_heads, store_heads

KIND, HEADS = "steer", "heads"


@task("calibrate", "Measuring chance")
def calibrate(run: Run, *, atlas: str) -> str:
    """Calibrate the thresholds of an atlas's maps; return the atlas's id."""
    calibration.calibrated(run.workspace, atlas, **run.watched)
    return atlas


@task(
    KIND,
    "Writing with the network at its gain",
    inputs=lambda model, order, dense_text: {"model": model, "order": repr(order)},
)
def steer(run: Run, model: str, order: SteeringOrder, dense_text: Generation | None) -> Steered:
    """Let the model write as it is and with networks at their gains, reporting both as they grow.

    Parameters
    ----------
    dense_text : Generation or None
        What it wrote as it is, where it did so before.
    """
    language_model = run.model(model)
    return steer_texts(
        run.workspace,
        language_model,
        order,
        dense_text=dense_text,
        on_token=watcher(language_model, order.prompt, order.sampling, run.report),
        cancel=run.cancel,
    )


@task(HEADS, "Reading the attention heads")
def read_heads(run: Run, model: str, atlas: str) -> str:
    """Store which heads carry each network of an atlas; return the atlas's id."""
    language_model = run.model(model)
    opened = open_atlas(run.workspace, atlas)
    recording = open_recording(run.workspace, opened.decomposition.recording_id)
    store_heads(
        run.workspace, opened, network_heads(language_model, opened, recording, **run.watched)
    )
    return atlas
