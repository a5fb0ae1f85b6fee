"""A body of glass with maps in it, as the viewer opens on it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from app.figures.body.grey import Body
from app.figures.pixels import webp
from app.figures.theme import READING_ROOM, rgb
from fnprune_core.atlas.images import smoothing

#: From where NiiVue looks at a body at first, and how far it sees, of the body's half diagonal.
_AZIMUTH, _ELEVATION, _VIEW = 110, 10, 0.8 / 1.2
_ALPHA, _FADING = 0.25, 0.3  # of the brightest grey in a step; and how colours fade with depth
Pixels = NDArray[np.float32]


def rendering(
    body: Body,
    maps: Sequence[tuple[NDArray[np.floating], str]],
    *,
    threshold: float,
    limit: float,
    solid: float,
    side: int = 320,
) -> bytes:
    """Return maps (n_units,), each in its colour, in a body of glass, as a square WebP.

    As the viewer opens on it, as high as its canvas. O(side² · depth), a second or two.

    Parameters
    ----------
    maps : sequence of (ndarray, str)
        The first lies uppermost; `solid` is how much of the grey is seen.
    """
    covered = np.zeros(body.grey.shape, dtype=np.float32)
    colours = np.zeros((3, *body.grey.shape), dtype=np.float32)
    for values, colour in reversed(maps):
        soft = np.abs(smoothing.smoothed(values, body.grid, fwhm=smoothing.USUAL_FWHM))
        volume = np.asarray(body.placed(soft), dtype=np.float32)
        shown = volume > threshold
        strength = np.clip((volume[shown] - threshold) / (limit - threshold), 0, 1)
        covered[shown] = 1
        colours[:, shown] = _shades(colour, strength)
    return webp(_seen(body, colours, covered, solid, side))


def _shades(colour: str, strength: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the viewer's shades of a colour: dark, itself, and towards white: (3, n)."""
    middle = np.array(rgb(colour), dtype=np.float32)
    steps = np.stack([0.75 * middle, middle, middle + 0.45 * (255 - middle)]) / 255
    shades = [np.interp(strength, (0, 0.5, 1), channel) for channel in steps.T]
    return np.asarray(shades, dtype=np.float32)


def _seen(body: Body, colours: Pixels, covered: Pixels, solid: float, side: int) -> Image.Image:
    """Return what NiiVue's rays meet: grey that adds up, and colour that shines through it."""
    turn = Rotation.from_euler("zx", [_AZIMUTH - 180, 270 - _ELEVATION], degrees=True).as_matrix()
    sizes, step = np.array(body.grey.shape), float(body.millimetres.min())
    diagonal = float(np.linalg.norm(sizes * body.millimetres))
    place = np.linspace(-1, 1, side) * _VIEW * diagonal / 2
    across, up = np.meshgrid(-place, -place)
    grey, grey_cover, cover, nearest, farthest = np.zeros((5, side, side))
    colour = np.zeros((3, side, side))
    for depth in np.arange(0, diagonal, step):
        eye = np.stack([across, up, np.full_like(across, depth - diagonal / 2)])
        voxels = np.tensordot(turn.T, eye, axes=1) / body.millimetres[:, None, None]
        voxels += ((sizes - 1) / 2)[:, None, None]
        here = map_coordinates(body.grey, voxels, order=1)
        nearest[(nearest == 0) & (here > 0)] = depth
        alpha = (1 - grey_cover) * _ALPHA * here
        grey += alpha * here
        grey_cover += alpha
        weight = (1 - cover) * map_coordinates(covered, voxels, order=1)
        if weight.any():
            for channel, values in enumerate(colours):
                colour[channel] += (1 - cover) * map_coordinates(values, voxels, order=1)
            cover += weight
            farthest[weight > _ALPHA * _ALPHA] = depth
    glass = solid * grey_cover
    inside = (farthest - nearest).clip(min=0) / diagonal
    mixed = grey + cover * (1 - glass * inside**_FADING) * (colour - grey)
    opacity = np.maximum(glass, cover)
    canvas = np.array(rgb(READING_ROOM.canvas))[:, None, None]
    shown = opacity * 255 * mixed + (1 - opacity) * canvas
    return Image.fromarray(np.rint(shown.clip(0, 255)).astype(np.uint8).transpose(1, 2, 0))
