"""Still pictures of the live scanner, drawn on the server: three cuts and a glass body.

They stand in where a browser cannot draw the body itself, and follow the same rules as the browser.
"""

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.figures.live.scene import LiveScene
from app.figures.theme import READING_ROOM as FILM
from app.figures.theme import rgb
from fnprune_core.atlas.images.live_body import LiveBody

# As in the browser: smoothed |z| from which a voxel lights up, and fully; and times a network's
# usual strength, likewise.
LEAST_Z, FULL_Z = 2.0, 4.5
LEAST, FULL, EASE = 1.0, 4.0, 0.7
_GAP = 12
_GLASS = 0.75  # of the grey seen through the body


def activity(times: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how bright networks are, from 0 to 1, by multiples of their usual strength."""
    share = np.clip((np.abs(times) - LEAST) / (FULL - LEAST), 0.0, 1.0)
    return np.asarray(share**EASE)


def light(
    body: LiveBody, times: NDArray[np.floating], colours: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the colour (voxels, 3) and the opacity (voxels,) of each voxel of the body's box.

    Parameters
    ----------
    times : ndarray (K,)
        Strengths in multiples of the usual ones.
    colours : ndarray (K, 3)
        From 0 to 255.
    """
    total = np.zeros(body.grey.size, dtype=np.float32)
    colour = np.zeros((body.grey.size, 3), dtype=np.float32)
    active = activity(times)
    for network in np.flatnonzero(active > 0.02):
        voxels, z = body.z_of(int(network))
        share = active[network] * np.clip((np.abs(z) - LEAST_Z) / (FULL_Z - LEAST_Z), 0, 1)
        total[voxels] += share
        colour[voxels] += share[:, None] * colours[network]
    colour /= np.where(total > 0, total, np.float32(1))[:, None]
    return colour, np.minimum(total, np.float32(1))


def place_of(scene: LiveScene) -> tuple[int, int, int]:
    """Return the voxel through which cuts show most of what lights up over the whole text."""
    body = scene.body
    active = activity(scene.healthy.relative()).mean(axis=1)
    total = np.zeros(body.grey.size)
    for network in np.flatnonzero(active):
        voxels, z = body.z_of(int(network))
        total[voxels] += active[network] * np.clip((np.abs(z) - LEAST_Z) / (FULL_Z - LEAST_Z), 0, 1)
    volume = total.reshape(body.shape, order="F")
    x, y, layer = (int(volume.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1)))
    return x, y, layer


def still_picture(scene: LiveScene, token: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """Return the bodies as they are lit at one token: pixels (height, width, 3)."""
    canvas = Image.new("RGB", (width, height), FILM.canvas)
    colours = np.array([rgb(colour) for colour in scene.colours], dtype=np.float64)
    place, n = place_of(scene), len(scene.runs)
    for number, (run, hole) in enumerate(zip(scene.runs, scene.holes(), strict=True)):
        box = (width * number // n, 0, width * (number + 1) // n, height)
        colour, alpha = light(scene.body, run.relative()[:, token], colours)
        grey = scene.body.grey.ravel(order="F").astype(np.float32)
        grey[hole], alpha[hole] = 1.0, 0.0
        _draw_body(canvas, box, scene.body, place, grey, colour, alpha)
        if n > 1:
            pen, font = ImageDraw.Draw(canvas), _font(15)
            label = _fitted(scene.labels[number], font, width // n - 2 * _GAP)
            pen.text((box[0] + _GAP, _GAP), label, font=font, fill=FILM.quiet)
    return np.asarray(canvas)


def _draw_body(
    canvas: Image.Image,
    box: tuple[int, int, int, int],
    body: LiveBody,
    place: tuple[int, int, int],
    grey: NDArray[np.float32],
    colour: NDArray[np.float32],
    alpha: NDArray[np.float32],
) -> None:
    """Draw the glass body and the three cuts through `place`."""
    lit = (1 - alpha[:, None]) * grey[:, None] + alpha[:, None] * colour
    volume = lit.reshape(*body.shape, 3, order="F")
    sizes = np.abs(np.diag(body.affine)[:3])
    x, y, layer = place
    pictures = [
        (_glass(volume, alpha.reshape(*body.shape, order="F")), sizes[[0, 2]]),
        (volume[:, :, layer].swapaxes(0, 1)[::-1], sizes[[0, 1]]),
        (volume[:, y].swapaxes(0, 1)[::-1], sizes[[0, 2]]),
        (volume[x].swapaxes(0, 1)[::-1], sizes[[1, 2]]),
    ]
    left, top, right, bottom = box
    for picture, tile in zip(pictures, _tiles(right - left, bottom - top), strict=True):
        _paste(canvas, picture, tuple(np.add(tile, (left, top, left, top)).tolist()))


def _glass(volume: NDArray[np.float32], opacity: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the body seen through from the front, what is lit in front of the grey."""
    grey = volume.mean(axis=-1)
    is_inside = grey > 0
    # The mean along each line of sight, brighter where the body is deep: no pattern of its rim.
    depth_share = is_inside.sum(axis=1) / max(int(is_inside.sum(axis=1).max()), 1)
    grey = grey.sum(axis=1) / np.maximum(is_inside.sum(axis=1), 1) * np.sqrt(depth_share)
    depth = opacity.argmax(axis=1)
    strongest = opacity.max(axis=1)[..., None]
    columns, layers = np.indices(depth.shape)
    colour = volume[columns, depth, layers]
    seen = (1 - strongest) * _GLASS * grey[..., None] + strongest * colour
    return np.asarray(seen.swapaxes(0, 1)[::-1], dtype=np.float32)


def _tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the glass body and the three cuts."""
    if width > 1.7 * height:
        first, second, half = int(0.42 * width), int(0.7 * width), height // 2
        return [
            (0, 0, first, height),
            (first, _GAP, second, height - _GAP),
            (second, _GAP, width, half),
            (second, half, width, height - _GAP),
        ]
    middle, step = int(0.6 * height), width // 3
    cuts = [(step * i, middle, step * (i + 1), height) for i in range(3)]
    return [(0, 0, width, middle), *cuts]


def _paste(
    canvas: Image.Image,
    picture: tuple[NDArray[np.float32], NDArray[np.float64]],
    box: tuple[int, ...],
) -> None:
    """Draw a picture in the middle of a box, its millimetres alike in both directions."""
    pixels, sizes = picture
    across, down = pixels.shape[1] * sizes[0], pixels.shape[0] * sizes[1]
    left, top, right, bottom = box
    scale = 0.94 * min((right - left) / across, (bottom - top) / down)
    size = max(round(scale * across), 1), max(round(scale * down), 1)
    drawn = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    background = Image.new("RGB", size, FILM.canvas)
    mask = drawn.convert("L").point(lambda level: min(255, 12 * level))
    background.paste(drawn, (0, 0), mask)
    canvas.paste(background, ((left + right - size[0]) // 2, (top + bottom - size[1]) // 2))


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def _fitted(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"
