"""Cached pictures that stand in for the viewer where a browser cannot draw: PNG bytes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.figures import nilearn_plots
from app.figures import stills as drawing
from app.figures.nilearn_plots import Overlay, Place
from app.figures.theme import READING_ROOM
from app.shell import resources
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from app.shell.images import files, places
from fnprune_core.atlas.images import smoothing, volumes

_MODE = READING_ROOM.mode


@cached(max_entries=16)
def network(id: str, number: int, version: str, *, z: float, limit: float, pole: int) -> bytes:
    """Return a network's map on the anatomy."""
    atlas = resources.atlas(id)
    values = np.asarray(atlas.maps[atlas.check_network(number)], dtype=np.float32)
    if pole:
        values = np.where(np.sign(values) == pole, values, np.float32(0))
    at = places.of_network(id, number, pole=pole)
    return _drawn(id, version, [_signed(id, values, z, limit)], at)


@cached(max_entries=16)
def several(id: str, numbers: tuple[int, ...], version: str, *, z: float) -> bytes:
    """Return a few networks on the anatomy, each in its own colour."""
    atlas, colours = resources.atlas(id), network_colours(id, _MODE)
    overlays = []
    for number in numbers:
        values = np.asarray(atlas.maps[atlas.check_network(number)], dtype=np.float32)
        soft = np.abs(smoothing.smoothed(values, files.grid(id), fwhm=smoothing.USUAL_FWHM))
        image = volumes.volume_image(files.grid(id), soft)
        colour = colours[number]
        overlays.append(Overlay(image=image, colours=(colour, colour), low=z, high=2 * z))
    return _drawn(id, version, overlays, places.of_network(id, numbers[0]))


@cached(max_entries=4)
def rendering(id: str, numbers: tuple[int, ...], version: str, *, z: float, solid: float) -> bytes:
    """Return a few networks in a body of glass, as the viewer opens on them: a square WebP."""
    atlas, colours = resources.atlas(id), network_colours(id, _MODE)
    maps = [(atlas.maps[atlas.check_network(number)], colours[number]) for number in numbers]
    limit = max(resources.colour_limit(id, z), 1.05 * z)
    body = drawing.body_of(files.activity(id, version), files.grid(id))
    return drawing.rendering(body, maps, threshold=z, limit=limit, solid=solid)


@cached(max_entries=8)
def parcels(id: str, version: str, *, z: float, members: bool) -> bytes:
    """Return each voxel in the colour of its strongest network."""
    fwhm = int(smoothing.USUAL_FWHM)
    labels, strengths = files.strongest_networks(id, fwhm, version, members=members)
    shown = np.where(strengths > (0 if members else z), labels, 0).astype(np.float32)
    colours = network_colours(id, _MODE)
    overlay = Overlay(
        image=volumes.volume_image(files.grid(id), shown),
        colours=colours,
        low=0.5,
        high=len(colours) + 0.5,
    )
    return _drawn(id, version, [overlay], (0.0, 0.0, 0.0))


@cached(max_entries=8)
def contrast(id: str, localizer: str, version: str, *, z: float, limit: float) -> bytes:
    """Return t of each unit in a localizer on the anatomy."""
    values = files.contrast(id, localizer)
    strongest = places.of_unit(id, int(np.abs(values).argmax()))
    return _drawn(id, version, [_signed(id, values, z, limit)], strongest)


def _signed(id: str, values: NDArray[np.float32], low: float, high: float) -> Overlay:
    image = volumes.image(files.grid(id), values)
    return Overlay(image=image, colours=None, low=low, high=high)


def _drawn(id: str, version: str, overlays: Sequence[Overlay], at: Place) -> bytes:
    return nilearn_plots.overlaid(
        files.anatomy_image(id, version), overlays, at=at, palette=READING_ROOM
    )
