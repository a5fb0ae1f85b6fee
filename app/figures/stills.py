"""Still pictures of the body: cuts with a map over the grey, of the images that the viewer shows.

Composed by numpy and Pillow: a thumbnail takes a hundredth of a second, where nilearn, whose way
of cutting and colouring this is, takes one.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from app.figures.raster import scale_colours
from app.figures.theme import READING_ROOM, Palette, rgb
from fnprune_core.atlas.images import anatomy, smoothing
from fnprune_core.atlas.images.voxels import VoxelGrid

_FINER = 2  # pixels are composed this much finer, so that edges are smooth
_ROUNDING = 0.9  # of the outline, in voxels
_THUMBNAIL = (288, 240)
_GAP = 6
_QUALITY = 62  # of WebP: blocks begin to show in the grey below it
_OPACITY_OF_PARCELS = 0.72
#: On paper the grey is lighter, so that colours stand out and little ink is spent.
_PAPER_GREY = (0.42, 0.55)
_SAGITTAL, _CORONAL, _AXIAL = 0, 1, 2
#: From where NiiVue looks at a body at first, and how far it sees, of the body's half diagonal.
_AZIMUTH, _ELEVATION, _VIEW = 110, 10, 0.8 / 1.2
_ALPHA, _FADING = 0.25, 0.3  # of the brightest grey in a step; and how colours fade with depth

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """The grey body, and where the voxels of maps lie in it.

    Parameters
    ----------
    grey : ndarray (columns, rows, layers)
        From 0, outside, to 1.
    low : tuple of int
        Where in `grey` the first voxel of `grid` lies.
    """

    grid: VoxelGrid
    grey: NDArray[np.float32]
    low: tuple[int, int, int]

    @property
    def millimetres(self) -> NDArray[np.float64]:
        """Sides of a voxel."""
        return np.diag(self.grid.affine)[:3]

    def placed(self, volume: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a volume of the grid's voxels among those of the body, 0 where it has none."""
        sizes = zip(self.low, volume.shape, self.grey.shape, strict=True)
        return np.pad(volume, [(low, whole - low - size) for low, size, whole in sizes])

    def size(self, axis: int) -> tuple[float, float]:
        """Return the width and height of the whole body in a cut, in millimetres."""
        box = self.box(axis)
        across, up = (a for a in range(3) if a != axis)
        sides = [side.stop - side.start for side in box]
        return sides[0] * self.millimetres[across], sides[1] * self.millimetres[up]

    def box(self, axis: int) -> tuple[slice, slice]:
        """Return where the body lies in a cut, the same for all cuts of an axis."""
        seen: NDArray[np.bool_] = np.asarray((self.grey > 0).any(axis=axis))
        sides = []
        for other in (1, 0):
            is_inside = seen.any(axis=other)
            (inside,) = np.nonzero(is_inside)
            last = min(int(inside[-1]) + 2, is_inside.size)
            sides.append(slice(max(int(inside[0]) - 1, 0), last))
        return sides[0], sides[1]

    def cut(self, volume: NDArray[np.generic], axis: int, at: int) -> NDArray[np.float32]:
        """Return one cut of a placed volume, the front or the last layer on top."""
        part = np.take(volume, at, axis)[self.box(axis)]
        return np.asarray(part, dtype=np.float32).T[::-1]


def body_of(activity: NDArray[np.floating], grid: VoxelGrid) -> Body:
    """Return the body of an atlas.

    Parameters
    ----------
    activity : ndarray (n_units,)
        As `anatomy.typical_activity` gives.
    """
    grey = anatomy.anatomy(activity, grid).astype(np.float32) / np.float32(255)
    return Body(grid=grid, grey=grey, low=anatomy.margins(grid.shape[2]).low)


class Overlay(Protocol):
    """What lies over the grey: it tells its colours and opacity in a cut, and where it peaks."""

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return colours (height, width, 3), 0 to 255, and opacity (height, width)."""

    @property
    def peak(self) -> tuple[int, int, int]:
        """The voxel of the body through which it is cut."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapOverlay:
    """A smoothed map beyond a threshold, cold and hot; its peak is that of the map as it is."""

    volume: NDArray[np.float32]
    threshold: float
    limit: float
    palette: Palette
    peak: tuple[int, int, int]

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return colours of the values, opaque from the threshold on."""
        values = _resized(body.cut(self.volume, axis, at), size, Image.Resampling.BILINEAR)
        table = scale_colours(self.palette, self.threshold, self.limit).astype(np.float32)
        steps = (np.clip(values / self.limit, -1, 1) + 1) / 2 * (len(table) - 1)
        return table[np.rint(steps).astype(np.int64)], (np.abs(values) > self.threshold) * 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParcelOverlay:
    """A parcellation: network k has the label k + 1, 0 is none."""

    volume: NDArray[np.int64]
    networks: Sequence[str]

    @property
    def peak(self) -> tuple[int, int, int]:
        """The middle of the body."""
        columns, rows, layers = (n // 2 for n in self.volume.shape)
        return columns, rows, layers

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return the colours of the labels, through which the grey is seen."""
        labels = body.cut(self.volume, axis, at)
        shown = _resized(labels, size, Image.Resampling.NEAREST).astype(np.int64)
        table = np.array([(0, 0, 0), *(rgb(colour) for colour in self.networks)], dtype=np.float32)
        return table[shown], np.float32(_OPACITY_OF_PARCELS) * (shown > 0)


def map_overlay(
    body: Body,
    values: NDArray[np.floating],
    *,
    threshold: float,
    limit: float,
    palette: Palette,
    fwhm: float = smoothing.USUAL_FWHM,
) -> MapOverlay:
    """Return a map (n_units,) to be laid over the body."""
    volume = smoothing.smoothed(values, body.grid, fwhm=fwhm)
    x, y, z = (body.grid.voxel_of_unit[int(np.abs(values).argmax())] + np.array(body.low)).tolist()
    return MapOverlay(
        peak=(x, y, z),
        volume=body.placed(volume).astype(np.float32),
        threshold=threshold,
        limit=limit,
        palette=palette,
    )


def parcel_overlay(
    body: Body, maps: Iterable[NDArray[np.floating]], *, threshold: float, networks: Sequence[str]
) -> ParcelOverlay:
    """Return each voxel's strongest network of smoothed maps (K, n_units), beyond a threshold.

    Parameters
    ----------
    networks : sequence of str
        The colour of each.
    """
    labels, strengths = smoothing.strongest_networks(maps, body.grid, fwhm=smoothing.USUAL_FWHM)
    shown = np.where(strengths > threshold, labels, 0)
    return ParcelOverlay(volume=body.placed(shown).astype(np.int64), networks=networks)


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
    return _webp(canvas)


def cuts(body: Body, overlay: Overlay, palette: Palette, *, height: int = 300) -> bytes:
    """Return three cuts through the peak, from the side, the front and above, as WebP."""
    scale = height / body.size(_AXIAL)[1]
    pictures = []
    for axis in (_SAGITTAL, _CORONAL, _AXIAL):
        picture = _cut(body, overlay, axis, overlay.peak[axis], scale, palette)
        pictures.append(_with_cross(picture, body, overlay.peak, axis, scale, palette))
    return _webp(_in_rows([pictures], palette))


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
    return _webp(_in_rows(rows, palette))


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
    return _webp(_seen(body, colours, covered, solid, side))


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


def data_uri(picture: bytes) -> str:
    """Return a WebP picture as an address that holds it."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def _cut(
    body: Body, overlay: Overlay, axis: int, at: int, scale: float, palette: Palette
) -> Image.Image:
    """Return one cut as a picture of `scale` pixels a millimetre."""
    width, height = (max(round(length * scale), 1) for length in body.size(axis))
    size = (_FINER * width, _FINER * height)
    grey_cut = body.cut(body.grey, axis, at)
    # The outline of voxels is rounded, and the grey goes on to it.
    covered = gaussian_filter((grey_cut > 0).astype(np.float32), _ROUNDING)
    inside = _resized(covered, size, Image.Resampling.BICUBIC)
    spread_grey = gaussian_filter(grey_cut, _ROUNDING) / np.maximum(covered, 1e-3)
    filled = np.where(grey_cut > 0, grey_cut, spread_grey)
    grey = _resized(filled, size, Image.Resampling.BICUBIC).clip(0, 1)
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


def _resized(
    cut: NDArray[np.floating], size: tuple[int, int], how: Image.Resampling
) -> NDArray[np.float32]:
    picture = Image.fromarray(np.ascontiguousarray(cut, dtype=np.float32))
    return np.asarray(picture.resize(size, how), dtype=np.float32)


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


def _webp(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()
