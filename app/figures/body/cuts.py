"""Cuts through the body, composed by numpy and Pillow.

A thumbnail takes a hundredth of a second, where nilearn, whose way of cutting and colouring this
is, takes one.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from app.figures.body.grey import Body
from app.figures.body.overlays import Overlay, resized
from app.figures.pixels import webp
from app.figures.theme import Palette, rgb

_FINER = 2  # pixels are composed this much finer, so that edges are smooth
_ROUNDING = 0.9  # of the outline, in voxels
_THUMBNAIL = (288, 240)
_GAP = 6
#: On paper the grey is lighter, so that colours stand out and little ink is spent.
_PAPER_GREY = (0.42, 0.55)
_SAGITTAL, _CORONAL, _AXIAL = 0, 1, 2


def thumbnail(body: Body, overlay: Overlay, palette: Palette) -> bytes:
    """Return the layer through the peak, seen from above, as a small WebP: a brain at a glance."""
    width, height = _THUMBNAIL
    across, up = body.size(_AXIAL)
    picture = _cut(
        body,
        overlay,
        _AXIAL,
        overlay.peak[_AXIAL],
        0.94 * min(width / across, height / up),
        palette,
    )
    canvas = Image.new("RGB", _THUMBNAIL, palette.canvas)
    canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return webp(canvas)


def cuts(body: Body, overlay: Overlay, palette: Palette, *, height: int = 300) -> bytes:
    """Return three cuts through the peak, from the side, the front and above, as WebP."""
    scale = height / body.size(_AXIAL)[1]
    pictures = []
    for axis in (_SAGITTAL, _CORONAL, _AXIAL):
        picture = _cut(body, overlay, axis, overlay.peak[axis], scale, palette)
        pictures.append(_with_cross(picture, body, overlay.peak, axis, scale, palette))
    return webp(_in_rows([pictures], palette))


def layers(
    body: Body,
    overlay: Overlay,
    palette: Palette,
    *,
    n: int = 10,
    n_rows: int = 2,
    height: int = 300,
) -> bytes:
    """Return layers from the first to the last as WebP, each with its number."""
    n_layers = body.grid.layout.n_layers
    chosen = np.unique(np.rint(np.linspace(0, n_layers - 1, min(n, n_layers))).astype(int)).tolist()
    n_rows = min(n_rows, len(chosen))
    per_row = -(-len(chosen) // n_rows)
    scale = (height - _GAP * (n_rows - 1)) / n_rows / body.size(_AXIAL)[1]
    pictures = []
    for layer in chosen:
        picture = _cut(body, overlay, _AXIAL, layer + body.low[_AXIAL], scale, palette)
        _write(picture, str(layer), palette)
        pictures.append(picture)
    rows = [pictures[at : at + per_row] for at in range(0, len(pictures), per_row)]
    return webp(_in_rows(rows, palette))


def _cut(
    body: Body, overlay: Overlay, axis: int, at: int, scale: float, palette: Palette
) -> Image.Image:
    """Return one cut as a picture of `scale` pixels a millimetre."""
    width, height = (max(round(length * scale), 1) for length in body.size(axis))
    size = (_FINER * width, _FINER * height)
    grey_cut = body.cut(body.grey, axis, at)
    # The outline of voxels is rounded, and the grey goes on to it.
    covered = gaussian_filter((grey_cut > 0).astype(np.float32), _ROUNDING)
    inside = resized(covered, size, Image.Resampling.BICUBIC)
    spread_grey = gaussian_filter(grey_cut, _ROUNDING) / np.maximum(covered, 1e-3)
    filled = np.where(grey_cut > 0, grey_cut, spread_grey)
    grey = resized(filled, size, Image.Resampling.BICUBIC).clip(0, 1)
    if palette.mode == "light":
        base, spread = _PAPER_GREY
        grey = base + spread * grey
    colours, opacity = overlay.colours(body, axis, at, size)
    canvas = np.array(rgb(palette.canvas), dtype=np.float32)
    tissue = np.repeat(255 * grey[..., None], 3, axis=2).clip(0, 255)
    over = opacity[..., None] * colours + (1 - opacity[..., None]) * tissue
    shown = np.where(inside[..., None] > 0.5, over, canvas)
    picture = Image.fromarray(np.rint(shown).astype(np.uint8))
    return picture.reduce(_FINER)


def _with_cross(
    picture: Image.Image,
    body: Body,
    peak: tuple[int, int, int],
    axis: int,
    scale: float,
    palette: Palette,
) -> Image.Image:
    """Return a cut with thin lines where the two others lie."""
    across, up = (a for a in range(3) if a != axis)
    box = body.box(axis)
    x = (peak[across] - box[0].start + 0.5) * body.millimetres[across] * scale
    y = picture.height - (peak[up] - box[1].start + 0.5) * body.millimetres[up] * scale
    lines = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    drawing, colour = ImageDraw.Draw(lines), (*rgb(palette.accent), 110)
    drawing.line([(x, 0), (x, picture.height)], fill=colour)
    drawing.line([(0, y), (picture.width, y)], fill=colour)
    return Image.alpha_composite(picture.convert("RGBA"), lines).convert("RGB")


def _write(picture: Image.Image, text: str, palette: Palette) -> None:
    font = ImageFont.load_default(size=max(picture.height / 9, 11))
    ImageDraw.Draw(picture).text((2, 0), text, fill=palette.quiet, font=font)


def _in_rows(rows: Sequence[Sequence[Image.Image]], palette: Palette) -> Image.Image:
    """Return pictures in rows on the page's colour, each on the middle of its row."""
    widths = [sum(each.width for each in row) + _GAP * (len(row) - 1) for row in rows]
    heights = [max(each.height for each in row) for row in rows]
    canvas = Image.new("RGB", (max(widths), sum(heights) + _GAP * (len(rows) - 1)), palette.canvas)
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for each in row:
            canvas.paste(each, (x, y + (height - each.height) // 2))
            x += each.width + _GAP
        y += height + _GAP
    return canvas
