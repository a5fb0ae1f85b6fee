"""Small pictures of an atlas's networks, for galleries and tables."""

from app.figures import raster
from app.figures.theme import PALETTES, Mode
from app.shell import resources
from app.shell.caching import cached
from app.shell.images import files as images
from app.shell.images import routes as image_routes
from fnprune_core.atlas import cortex


def thumbnails(id: str, z: float, mode: Mode) -> list[str]:
    """Return the source of a small picture of every network: the body, cut through its peak.

    Addresses, which the browser asks for once. Without a cortex, where places mean nothing,
    layers × units grouped by network, as data URIs.
    """
    if not cortex.has_cortex(resources.workspace(), id):
        return _grouped(id, z, mode)
    version = images.version(id)
    networks = range(resources.atlas(id).n_networks)
    return [image_routes.thumbnail_url(id, k, version, z=z) for k in networks]


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
