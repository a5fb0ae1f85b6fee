"""Small pictures of an atlas's networks, for galleries and tables."""

from app.figures import raster, stills
from app.figures.theme import PALETTES, READING_ROOM, Mode
from app.shell import resources
from app.shell.caching import cached
from app.shell.images import addresses
from app.shell.images import files as images
from fnprune_core.atlas.topography.laid_out import has_cortex


def thumbnails(id: str, z: float, mode: Mode) -> list[str]:
    """Return the source of a small picture of every network: the body, cut through its peak.

    Addresses, which the browser asks for once. Without a cortex, where places mean nothing,
    layers × units grouped by network, as data URIs.
    """
    if not has_cortex(resources.workspace(), id):
        return _grouped(id, z, mode)
    version = images.version(id)
    networks = range(resources.atlas(id).n_networks)
    return [addresses.thumbnail_url(id, k, version, z=z) for k in networks]


@cached(max_entries=2)
def body(id: str, version: str) -> stills.Body:
    """Return the grey body of an atlas, for still pictures."""
    return stills.body_of(images.activity(id, version), images.grid(id))


@cached(max_entries=512)
def thumbnail(id: str, network: int, version: str, *, z: float) -> bytes:
    """Return the layer of a network's peak, with its map on the grey, as a small WebP."""
    atlas = resources.atlas(id)
    shown = stills.map_overlay(
        body(id, version),
        atlas.maps[atlas.check_network(network)],
        threshold=z,
        limit=max(resources.colour_limit(id, z), 1.01 * z),
        palette=READING_ROOM,
    )
    return stills.thumbnail(body(id, version), shown, READING_ROOM)


@cached(max_entries=8, spinner="Drawing the networks")
def _grouped(id: str, z: float, mode: Mode) -> list[str]:
    atlas, limit = resources.atlas(id), resources.colour_limit(id, z)
    return [
        raster.thumbnail(
            raster.group_columns(atlas.layer_map(k), resources.grouping(id)),
            palette=PALETTES[mode],
            threshold=z,
            limit=limit,
        )
        for k in range(atlas.n_networks)
    ]
