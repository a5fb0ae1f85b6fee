"""Cached pictures of an atlas: what stands in for the viewer where a browser cannot draw."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.figures import nilearn_plots, raster
from app.figures.body import cuts, glass, grey, overlays
from app.figures.nilearn_plots import Overlay, Place
from app.figures.theme import PALETTES, READING_ROOM, Mode
from app.shell import resources
from app.shell.caches import atlas_maps
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from app.shell.images import addresses, files, places
from app.shell.images.addresses import version
from fnprune_core.atlas.images import smoothing, volumes

_MODE = READING_ROOM.mode


def thumbnails(id: str, z: float, mode: Mode) -> list[str]:
    """Return each network's picture as an image source: addresses of parts in the body.

    Without a cortex, layers × units with units grouped by network, inside the page.
    """
    networks = range(resources.atlas(id).n_networks)
    if not resources.is_laid_out(id):
        return _grouped(id, z, mode)
    return [addresses.atlas_url(id, f"networks/{k}.webp", z=f"{z:g}") for k in networks]


@cached(max_entries=8, spinner="Drawing the networks")
def _grouped(id: str, z: float, mode: Mode) -> list[str]:
    atlas, limit = resources.atlas(id), atlas_maps.colour_limit(id, z)
    grouped = (
        raster.group_columns(atlas.layer_map(k), atlas_maps.grouping(id))
        for k in range(atlas.n_networks)
    )
    return [
        raster.thumbnail(values, palette=PALETTES[mode], threshold=z, limit=limit)
        for values in grouped
    ]


@cached(max_entries=2, made_of=version)
def body(id: str) -> grey.Body:
    """Return an atlas's body, on which its small pictures are drawn."""
    return grey.body_of(files.activity(id), files.grid(id))


@cached(max_entries=512, made_of=version)
def thumbnail(id: str, network: int, *, z: float) -> bytes:
    """Return a network's small picture, as WebP."""
    atlas = resources.atlas(id)
    shown = overlays.map_overlay(
        body(id),
        atlas.maps[atlas.check_network(network)],
        threshold=z,
        limit=max(atlas_maps.colour_limit(id, z), 1.01 * z),
        palette=READING_ROOM,
    )
    return cuts.thumbnail(body(id), shown, READING_ROOM)


@cached(max_entries=16, made_of=version)
def network_map(id: str, network: int, *, z: float, limit: float, pole: int = 0) -> bytes:
    """Return a network's map on the anatomy."""
    values = _map(id, network)
    if pole:
        values = np.where(np.sign(values) == pole, values, np.float32(0))
    return _signed(id, values, z, limit, places.of_network(id, network, pole=pole))


@cached(max_entries=16, made_of=version)
def several(id: str, networks: tuple[int, ...], *, z: float) -> bytes:
    """Return a few networks on the anatomy, each in its own colour."""
    colours, grid, overlays = network_colours(id, _MODE), files.grid(id), []
    for number in networks:
        values = _map(id, number)
        soft = np.abs(smoothing.smoothed(values, grid, fwhm=smoothing.USUAL_FWHM))
        image, colour = volumes.volume_image(grid, soft), colours[number]
        overlays.append(Overlay(image=image, colours=(colour, colour), low=z, high=2 * z))
    return _drawn(id, overlays, places.of_network(id, networks[0]))


@cached(max_entries=4, made_of=version)
def rendering(id: str, networks: tuple[int, ...], *, z: float, solid: float) -> bytes:
    """Return a few networks in a body of glass, as the viewer opens on them: a square WebP."""
    colours = network_colours(id, _MODE)
    maps = [(_map(id, number), colours[number]) for number in networks]
    limit = max(atlas_maps.colour_limit(id, z), 1.05 * z)
    return glass.rendering(body(id), maps, threshold=z, limit=limit, solid=solid)


@cached(max_entries=8, made_of=version)
def parcels(id: str, *, z: float, members: bool = False) -> bytes:
    """Return each voxel in the colour of its strongest network."""
    fwhm = int(smoothing.USUAL_FWHM)
    labels, strengths = files.strongest_networks(id, fwhm, members=members)
    shown = np.where(strengths > (0 if members else z), labels, 0).astype(np.float32)
    image, colours = volumes.volume_image(files.grid(id), shown), network_colours(id, _MODE)
    overlay = Overlay(image=image, colours=colours, low=0.5, high=len(colours) + 0.5)
    return _drawn(id, [overlay], (0.0, 0.0, 0.0))


@cached(max_entries=8, made_of=version)
def contrast(id: str, localizer: str, *, z: float, limit: float) -> bytes:
    """Return t of each unit in a localizer on the anatomy."""
    values = files.contrast(id, localizer)
    return _signed(id, values, z, limit, places.of_unit(id, int(np.abs(values).argmax())))


def _map(id: str, network: int) -> NDArray[np.float32]:
    atlas = resources.atlas(id)
    return np.asarray(atlas.maps[atlas.check_network(network)], dtype=np.float32)


def _signed(id: str, values: NDArray[np.float32], z: float, limit: float, at: Place) -> bytes:
    """Return values of units in cold and hot colours, which end above the threshold."""
    image = volumes.image(files.grid(id), values)
    overlay = Overlay(image=image, colours=None, low=z, high=max(limit, 1.01 * z))
    return _drawn(id, [overlay], at)


def _drawn(id: str, overlays: Sequence[Overlay], at: Place) -> bytes:
    return nilearn_plots.overlaid(files.anatomy_image(id), overlays, at=at, palette=READING_ROOM)
