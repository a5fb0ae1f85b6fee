"""Frames of the live scanner drawn here: three cuts and a glass body, names, and the trace.

From the same body, strengths and rules as the browser's, for stills and films.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.figures.live.scene import LiveScene
from app.figures.markup import visible
from app.figures.theme import READING_ROOM as FILM
from app.figures.theme import rgb
from fnprune_core.atlas.images.live_body import LiveBody

# As in the browser: smoothed |z| from which a voxel lights up, and fully; and times a network's
# usual strength, likewise.
LEAST_Z, FULL_Z = 2.0, 4.5
LEAST, FULL, EASE = 1.0, 4.0, 0.7
_GAP, _CAPTION, _TICKER, _TRACE = 12, 44, 250, 76
_GLASS = 0.75  # of the grey seen through the body


def activity(times: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how bright networks are, from 0 to 1, by multiples of their usual strength."""
    share = np.clip((np.abs(times) - LEAST) / (FULL - LEAST), 0.0, 1.0)
    return np.asarray(share**EASE)


def strengths_at(relative: NDArray[np.floating], position: float) -> NDArray[np.float64]:
    """Return the strengths (K,) between two tokens, where one fades into the next."""
    n_tokens = relative.shape[1]
    token = min(int(position), n_tokens - 1)
    part = float(np.clip((position - token - 0.45) / 0.55, 0, 1))
    fade = part * part * (3 - 2 * part)
    first, second = relative[:, token], relative[:, min(token + 1, n_tokens - 1)]
    return np.asarray(first + fade * (second - first))


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


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameDrawer:
    """Draws frames of a scene.

    Parameters
    ----------
    scene : LiveScene
    width, height : int
        Of a frame, in pixels; even, as films want them.
    is_bare : bool
        Whether only the bodies are drawn, without words and trace.
    """

    scene: LiveScene
    width: int = 1280
    height: int = 640
    is_bare: bool = False

    @cached_property
    def _colours(self) -> NDArray[np.float64]:
        return np.array([rgb(colour) for colour in self.scene.colours], dtype=np.float64)

    @cached_property
    def _place(self) -> tuple[int, int, int]:
        return place_of(self.scene)

    @cached_property
    def _relative(self) -> list[NDArray[np.float64]]:
        return [run.relative() for run in self.scene.runs]

    @cached_property
    def _greys(self) -> list[NDArray[np.float32]]:
        greys = []
        for hole in self.scene.holes():
            grey = self.scene.body.grey.ravel(order="F").astype(np.float32)
            grey[hole] = 1.0
            greys.append(grey)
        return greys

    def frame(self, position: float) -> NDArray[np.uint8]:
        """Return the frame at a place between tokens: (height, width, 3)."""
        canvas = Image.new("RGB", (self.width, self.height), FILM.canvas)
        right = self.width - (0 if self.is_bare else _TICKER)
        bottom = self.height - (0 if self.is_bare else _CAPTION + _TRACE)
        n = len(self.scene.runs)
        for number in range(n):
            box = (right * number // n, 0, right * (number + 1) // n, bottom)
            self._draw_body(canvas, box, number, position)
        if not self.is_bare:
            token = min(int(position), self.scene.healthy.n_tokens - 1)
            pen = ImageDraw.Draw(canvas)
            self._draw_caption(pen, right, bottom, token)
            self._draw_ticker(pen, right, bottom, token)
            canvas.paste(self._trace, (0, self.height - _TRACE))
            x = self.width * (token + 0.5) / self.scene.healthy.n_tokens
            pen.rectangle((x - 1, self.height - _TRACE, x + 1, self.height), fill="#ffffff")
        return np.asarray(canvas)

    def _draw_body(
        self, canvas: Image.Image, box: tuple[int, int, int, int], number: int, position: float
    ) -> None:
        body, grey = self.scene.body, self._greys[number]
        times = strengths_at(self._relative[number], position)
        colour, alpha = light(body, times, self._colours)
        is_dark = np.zeros(grey.size, dtype=bool)
        is_dark[self.scene.holes()[number]] = True
        alpha = np.where(is_dark, 0.0, alpha)[:, None]
        lit = (1 - alpha) * grey[:, None] + alpha * colour
        volume = lit.reshape(*body.shape, 3, order="F")
        opacity = alpha.reshape(*body.shape, order="F")
        sizes = np.abs(np.diag(body.affine)[:3])
        x, y, layer = self._place
        pictures = [
            (_glass(volume, opacity), sizes[[0, 2]]),
            (volume[:, :, layer].swapaxes(0, 1)[::-1], sizes[[0, 1]]),
            (volume[:, y].swapaxes(0, 1)[::-1], sizes[[0, 2]]),
            (volume[x].swapaxes(0, 1)[::-1], sizes[[1, 2]]),
        ]
        left, top, right, bottom = box
        for picture, place in zip(pictures, _tiles(right - left, bottom - top), strict=True):
            _paste(canvas, picture, tuple(np.add(place, (left, top, left, top)).tolist()))
        if len(self.scene.runs) > 1:
            pen = ImageDraw.Draw(canvas)
            label = _fitted(self.scene.labels[number], _font(15), right - left - 2 * _GAP)
            pen.text((left + _GAP, _GAP), label, font=_font(15), fill=FILM.quiet)

    def _draw_caption(self, pen: ImageDraw.ImageDraw, right: int, top: int, token: int) -> None:
        pieces = [visible(piece).replace("\n", "↵") for piece in self.scene.healthy.pieces]
        before, now = "".join(pieces[max(0, token - 14) : token]), pieces[token] or "…"
        middle, line = int(0.62 * right), top + _CAPTION - 16
        font = _font(17, mono=True)
        while before and pen.textlength(before, font=font) > middle - _GAP:
            before = before[1:]
        pen.text((middle, line), before, font=font, fill=FILM.quiet, anchor="rs")
        now = _fitted(now, _font(21, mono=True), right - middle - _GAP)
        pen.text((middle, line), now, font=_font(21, mono=True), fill="#ffffff", anchor="ls")
        winner = int(self.scene.healthy.strongest(1)[0, token])
        colour = FILM.quiet if winner < 0 else self.scene.colours[winner]
        length = pen.textlength(now, font=_font(21, mono=True))
        pen.rectangle((middle, line + 6, middle + length, line + 9), fill=colour)

    @cached_property
    def _ranked(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return self.scene.healthy.strongest(3), self.scene.healthy.shares()

    def _draw_ticker(self, pen: ImageDraw.ImageDraw, left: int, height: int, token: int) -> None:
        strongest, shares = self._ranked
        room, step = _TICKER - 2 * _GAP, 76
        top = max((height - 3 * step) // 2, 0)
        for place, network in enumerate(strongest[:, token].tolist()):
            if network < 0:
                continue
            share, y = float(shares[network, token]), top + place * step
            colour = self.scene.colours[network]
            box = (left + _GAP, y, left + _GAP + room, y + step - 10)
            faint = _mixed(colour, FILM.canvas, 0.34)
            pen.rectangle((box[0], box[1], box[0] + share * room, box[3]), fill=faint)
            pen.rectangle(box, outline=FILM.line)
            pen.ellipse((box[0] + 10, y + 13, box[0] + 20, y + 23), fill=colour)
            _write(pen, (box[0] + 28, y + 18), f"{network}", size=16, anchor="lm")
            _write(pen, (box[2] - 10, y + 18), f"{100 * share:.0f} %", size=16, anchor="rm")
            name = _fitted(visible(self.scene.names[network]), _font(14), room - 20)
            pen.text((box[0] + 10, y + 46), name, font=_font(14), fill=FILM.quiet, anchor="lm")

    @cached_property
    def _trace(self) -> Image.Image:
        """The surprise of each token, and below it the colour of its strongest network."""
        picture = Image.new("RGB", (self.width, _TRACE), FILM.canvas)
        pen = ImageDraw.Draw(picture)
        pen.line((0, 0, self.width, 0), fill=FILM.line)
        run = self.scene.healthy
        surprises = [each.surprise for each in self.scene.runs]
        most = max(4.0, *(float(np.nanmax(s, initial=0.0)) for s in surprises))
        ribbon, step = 8, self.width / run.n_tokens
        first = 20  # below the words
        room = _TRACE - ribbon - first - 4
        winners, relative = run.strongest(1)[0], self._relative[0]
        for token, value in enumerate(surprises[0].tolist()):
            x, last = token * step, max((token + 1) * step - (2 if step > 4 else 0), token * step)
            if value == value:
                top = first + room * (1 - value / most)
                pen.rectangle((x, top, last, first + room), fill=FILM.quiet)
            if winners[token] >= 0:
                bright = 0.25 + 0.75 * float(activity(relative[winners[token], token]))
                colour = _mixed(self.scene.colours[winners[token]], FILM.canvas, bright)
                pen.rectangle((x, _TRACE - ribbon, last, _TRACE), fill=colour)
        for beside in surprises[1:]:
            points = [
                ((token + 0.5) * step, first + room * (1 - value / most))
                for token, value in enumerate(beside.tolist())
                if value == value
            ]
            pen.line(points, fill=FILM.accent, width=2)
        _write(pen, (8, 4), "Surprise", size=12, anchor="la")
        _write(pen, (self.width - 8, 4), f"{most:.0f} nats", size=12, anchor="ra")
        return picture


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


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *, size: int, anchor: str
) -> None:
    pen.text(place, text, font=_font(size), fill=FILM.text, anchor=anchor)


def _mixed(colour: str, ground: str, share: float) -> tuple[int, int, int]:
    channels = share * np.array(rgb(colour)) + (1 - share) * np.array(rgb(ground))
    red, green, blue = (int(channel) for channel in channels)
    return red, green, blue


def _font(size: int, *, mono: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVu Sans Mono" if mono else "DejaVu Sans"
    return ImageFont.truetype(font_manager.findfont(name), size)


def _fitted(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a frame as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def positions(n_tokens: int, frames_a_token: int) -> Sequence[float]:
    """Return the places of a film's frames, from the first token to the last."""
    n = (n_tokens - 1) * frames_a_token + 1
    return [i / frames_a_token for i in range(n)]
