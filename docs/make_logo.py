"""The logo and the page's icon: a layer's sheet from above, as all thumbnails show networks.

Run as ``make logo``. The outline is that of the core's sheets, the folds are smoothed noise, the
same on both sides, and the two poles of a network lie where most thumbnails have them: off the
middle.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from contourpy import contour_generator
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from app.figures.theme import PALETTES, READING_ROOM, Palette, rgb
from fnprune_core.atlas.topography.sheet import BREADTH, TAPER

STATIC = Path(__file__).parents[1] / "assets" / "static"
SEED = 3
_N = 121  # points of the field across
_HALF = 17.6  # of the mark's length, in the logo's units
_MIDDLE = (19.0, 20.0)
#: Two poles side by side, as in most thumbnails: middle and radius.
_POLES = {"hot": ((0.26, -0.36), 0.36), "cold": ((0.2, 0.2), 0.24)}
_ICON_SIZE, _FINER = 128, 8

Shape = tuple[str, list[tuple[float, float]]]


def outline(scale: float = 1.0) -> list[tuple[float, float]]:
    """Return the egg that a sheet's cells fill: x to the right, y to the front, length 2."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    y = np.sin(angle)
    x = BREADTH * np.cos(angle) / (1 + TAPER * y)
    return list(zip((scale * x).tolist(), (scale * y).tolist(), strict=True))


def folds(level: float) -> list[list[tuple[float, float]]]:
    """Return what lies between the zeros of smoothed noise, the same on both sides."""
    noise = np.random.default_rng(SEED).normal(size=(_N, _N))
    field = gaussian_filter(noise + noise[:, ::-1], 4.6)
    field = np.abs(field) / field.std()  # its zeros wind through the sheet, as folds do
    axis = np.linspace(-1, 1, _N)
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x * (1 + TAPER * y) / BREADTH, y)
    field = np.where(inside < 0.83, field, -9.0)
    lines = contour_generator(x, y, field).lines(level)
    return [[(float(a), float(b)) for a, b in line] for line in lines if len(line) > 12]


def blob(centre: tuple[float, float], radius: float, turn: float) -> list[tuple[float, float]]:
    """Return a region with a few soft lobes."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = radius * (1 + 0.14 * np.sin(3 * angle + turn) + 0.08 * np.sin(2 * angle - turn))
    x, y = centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def shapes(palette: Palette) -> list[Shape]:
    """Return the mark from the lowest shape to the uppermost: a colour, and points."""
    rim, tissue, light = (
        ("#e4e6e9", "#4d525a", "#8d939c") if palette.mode == "dark"
        else ("#3c4046", "#7d838b", "#c3c7cd")
    )  # fmt: skip
    parts: list[Shape] = [(rim, outline()), (tissue, outline(0.9))]
    parts += [(light, fold) for fold in folds(0.22)]
    for sign, (centre, radius) in _POLES.items():
        colours = getattr(READING_ROOM, sign)[1:]
        parts += [
            (colour, blob(centre, radius * share, radius * 9))
            for colour, share in zip(colours, (1.0, 0.7, 0.36), strict=True)
        ]
    return parts


def placed(points: Sequence[tuple[float, float]], scale: float, middle: tuple[float, float]):
    """Return points in a picture's units, y down."""
    return [(middle[0] + scale * x, middle[1] - scale * y) for x, y in points]


def svg_mark(palette: Palette) -> str:
    """Return the mark as a group of an SVG."""
    paths = []
    for colour, points in shapes(palette):
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed(points, _HALF, _MIDDLE))
        paths.append(f'<path d="M{steps}Z" fill="{colour}"/>')
    return f"<g>{''.join(paths)}</g>"


def write_logos() -> None:
    """Write both logos anew; the word in them stays."""
    for mode, palette in PALETTES.items():
        path = STATIC / f"logo-{mode}.svg"
        written = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"<g>.*?</g>", svg_mark(palette), written, count=1, flags=re.S),
            encoding="utf-8",
        )


def icon() -> bytes:
    """Return the page's icon: the mark on film, as PNG."""
    size = _FINER * _ICON_SIZE
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    drawing = ImageDraw.Draw(picture)
    drawing.rounded_rectangle(
        (0, 0, size - 1, size - 1), radius=size // 6, fill=rgb(READING_ROOM.canvas)
    )
    for colour, points in shapes(READING_ROOM):
        drawing.polygon(placed(points, 0.45 * size, (size / 2, size / 2)), fill=rgb(colour))
    stream = io.BytesIO()
    picture.reduce(_FINER).save(stream, "PNG", optimize=True)
    return stream.getvalue()


if __name__ == "__main__":
    write_logos()
    (STATIC / "icon.png").write_bytes(icon())
