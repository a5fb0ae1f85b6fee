"""Cached data of the Compare page: match, likeness, and maps to lie side by side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.figures import raster
from app.figures.body import cuts, overlays
from app.figures.pixels import data_uri
from app.figures.theme import PALETTES, READING_ROOM, Mode
from app.shell import resources
from app.shell.caches import atlas_maps, directions
from app.shell.caching import cached
from app.shell.images import files as images
from app.shell.images import stills as small
from fnprune_core.atlas import cortex as topography
from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.errors import FnpruneError
from fnprune_core.matching import atlases
from fnprune_core.matching.atlases import Likeness, Match
from fnprune_core.storage.workspace import Entry

#: Domains that a label names, at most.
MOST_DOMAINS = 6


def others(atlas_id: str) -> dict[str, str]:
    """Return the workspace's other atlases with their labels: those of this model, then by age."""
    fingerprint = resources.atlas(atlas_id).decomposition.fingerprint
    entries = [e for e in resources.workspace().entries("decompositions") if e.id != atlas_id]
    entries.sort(key=lambda entry: entry.manifest["fingerprint"] != fingerprint)
    return {entry.id: _atlas_label(entry) for entry in entries}


def targets(atlas_id: str) -> dict[str, str]:
    """Return the recordings of this atlas's model that it was not made from, with their labels."""
    decomposition = resources.atlas(atlas_id).decomposition
    return {
        entry.id: _recording_label(entry.manifest)
        for entry in resources.workspace().entries("recordings")
        if entry.id != decomposition.recording_id
        and entry.manifest["inputs"]["fingerprint"] == decomposition.fingerprint
    }


def _atlas_label(entry: Entry) -> str:
    facts, settings = entry.manifest, entry.manifest["settings"]
    labels = [f"{facts['n_networks']} networks", f"seed {settings['seed']}"]
    if "applied_from" in settings:
        labels[1] = f"applied from {settings['applied_from'][:8]}"
    try:
        labels.append(_recording_label(resources.manifest("recordings", facts["recording_id"])))
    except FnpruneError:
        labels.append("its recording is gone")
    return " · ".join([*labels, entry.id[:8]])


def _recording_label(manifest: dict[str, Any]) -> str:
    windows = manifest["windows"]
    names = windows["domain_names"]
    domains = ", ".join(names if len(names) <= MOST_DOMAINS else names[: MOST_DOMAINS - 1])
    if len(names) > MOST_DOMAINS:
        domains += f" and {len(names) - MOST_DOMAINS + 1} more domains"
    return f"{windows['n_tokens']:,} tokens of {domains} · {manifest['model_name']}"


@cached(max_entries=4, spinner="Matching the networks")
def match(atlas_id: str, other_id: str) -> Match:
    """Return which network of one atlas is which of the other."""
    return atlases.match(resources.atlas(atlas_id), resources.atlas(other_id))


@cached(
    max_entries=4,
    spinner="Matching random directions",
    made_of=directions.are_made,
)
def beside(atlas_id: str, other_id: str) -> Beside:
    """Return |r| of the pairs beside that of random directions in place of networks."""
    atlas, other = resources.atlas(atlas_id), resources.atlas(other_id)
    found = match(atlas_id, other_id)
    return atlases.match_beside(atlas, other, found, directions=directions.opened(atlas_id))


@cached(max_entries=4, spinner="Comparing with chance")
def likeness(atlas_id: str, other_id: str) -> Likeness:
    """Return how alike two atlases' networks are on the same texts, against chance."""
    return atlases.likeness(resources.atlas(atlas_id), resources.atlas(other_id))


def is_placed(atlas_id: str, host_id: str) -> bool:
    """Whether a map of an atlas can be drawn in the cortex of `host_id`."""
    cortex = resources.cortex(host_id)
    return cortex is not None and cortex.layout == resources.atlas(atlas_id).layout


def _drawn(id: str, host: str) -> object:
    return is_placed(id, host), images.version(id), images.version(host)


@cached(max_entries=512, made_of=lambda id, _, host: is_placed(id, host))
def front(atlas_id: str, network: int, host_id: str) -> NDArray[np.float32]:
    """Return a network seen from the front: (layers, columns), strongest z along the rows.

    Drawn in the cortex of `host_id`, so that two atlases of one model share their places; its
    layers with units grouped by the host's networks where that has no cortex.
    """
    atlas, cortex = resources.atlas(atlas_id), resources.cortex(host_id)
    if cortex is not None and is_placed(atlas_id, host_id):
        return topography.strongest(cortex.volume(atlas.maps[network]), axis=1)
    grouped = raster.group_columns(atlas.layer_map(network), atlas_maps.grouping(host_id))
    return raster.pool_columns(grouped, 96)


@cached(
    max_entries=4, spinner="Drawing the networks", made_of=lambda id, host, *_: _drawn(id, host)
)
def thumbnails(atlas_id: str, host_id: str, z: float, mode: Mode) -> list[str]:
    """Return a small picture of every network of an atlas, in the places of `host_id`."""
    if atlas_id == host_id:
        return small.thumbnails(atlas_id, z, mode)
    atlas, limit = resources.atlas(atlas_id), atlas_maps.colour_limit(atlas_id, z)
    if not is_placed(atlas_id, host_id):
        palette = PALETTES[mode]
        fronts = [front(atlas_id, network, host_id) for network in range(atlas.n_networks)]
        return [raster.thumbnail(f, palette=palette, threshold=z, limit=limit) for f in fronts]
    body = small.body(host_id)
    shown = (
        overlays.map_overlay(body, values, threshold=z, limit=limit, palette=READING_ROOM)
        for values in atlas.maps
    )
    pictures = (cuts.thumbnail(body, overlay, READING_ROOM) for overlay in shown)
    return [data_uri(picture, "image/webp") for picture in pictures]
