"""Tasks of the atlas's pages: what is measured of networks, read by them, or written. No streamlit.

The order is that of the pages: maps and units, the plane, texts, trust, another recording, files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.shell.jobs.generation_tasks import watcher
from app.shell.jobs.tasks import Run, task
from fnprune_core.atlas import cortex
from fnprune_core.atlas.chance import calibration
from fnprune_core.atlas.chance.directions import make_directions
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.atlas.probe import Reading
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.evaluation.generation import Generation
from fnprune_core.lesions.live import LiveOrder, LiveTexts, run_live
from fnprune_core.lesions.steering import Steered, SteeringOrder
from fnprune_core.lesions.steering import steer as steer_texts
from fnprune_core.matching import dual_regression
from fnprune_core.matching.dual_regression import Maps
from fnprune_core.recording.recording import open_recording
from fnprune_core.reliability import assess as reliability
from fnprune_core.scores.network_heads import network_heads, store_heads

DIRECTIONS, HEADS, LIVE, STEER = "directions", "heads", "live", "steer"


@task(DIRECTIONS, "Reading random directions")
def measure_directions(run: Run, *, atlas: str) -> str:
    """Make and keep an atlas's random directions; return the atlas's id."""
    make_directions(run.workspace, atlas, **run.watched)
    return atlas


@task("calibrate", "Measuring chance")
def calibrate(run: Run, *, atlas: str) -> str:
    """Calibrate the thresholds of an atlas's maps; return the atlas's id."""
    calibration.calibrated(run.workspace, atlas, **run.watched)
    return atlas


@task(
    STEER,
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
    directions = make_directions(run.workspace, atlas, **run.watched)
    heads = network_heads(language_model, directions, recording, **run.watched)
    store_heads(run.workspace, opened, heads)
    return atlas


@task("embed", "Embedding")
def embed(run: Run, *, atlas: str) -> str:
    """Place an atlas's units and networks in the plane; return the embedding's id."""
    from fnprune_core.atlas import embedding

    return embedding.embed(run.workspace, atlas, **run.watched)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a job has read or written, and what it was asked for."""

    model: str
    order: LiveOrder
    texts: LiveTexts


@task(LIVE, "Reading in the live scanner")
def scan(run: Run, *, model: str, order: LiveOrder) -> Found:
    """Read a text, or let the model write one, healthy and under a lesion."""
    language_model = run.model(model)
    texts = run_live(run.workspace, language_model, order, **run.watched)
    return Found(model=model, order=order, texts=texts)


@task("probe", "Reading the text")
def probe(run: Run, *, model: str, atlas: str, text: str) -> Reading:
    """Read a text and find the strength of each network in it; return the reading."""
    language_model = run.model(model)
    network_probe = dual_regression.open_probe(run.workspace, atlas)
    return network_probe.read(language_model, text, **run.watched)


@task("assess", "Measuring trust")
def assess(run: Run, *, atlas: str, parts: Sequence[str]) -> reliability.Assessed:
    """Measure how far networks can be trusted; each part is reported as it grows."""
    return reliability.assess(
        run.workspace, atlas, parts=parts, on_partial=run.report, **run.watched
    )


@task("apply", "Applying the atlas")
def apply(run: Run, *, atlas: str, recording: str, maps: Maps) -> str:
    """Apply an atlas to another recording of its model; return the new atlas's id."""
    id = dual_regression.apply_atlas(run.workspace, atlas, recording, maps=maps, **run.watched)
    if has_cortex(run.workspace, atlas):
        cortex.lay_out(run.workspace, id, **run.watched)
    return id


@task("atlas_page", "Writing the atlas")
def atlas_page(run: Run, *, atlas: str, z: float | None = 3.0) -> Path:
    """Write an atlas as one HTML file into the workspace's exports; return its path."""
    from app.html_files.atlas_page import write_atlas_page

    target = run.workspace.root / "exports" / f"atlas-{atlas}.html"
    return write_atlas_page(run.workspace, atlas, target, z=z, **run.watched)
