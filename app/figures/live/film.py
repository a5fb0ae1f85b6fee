"""Films of the live scanner: its frames as MP4 or as an animated GIF."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.figures.live.frames import FrameDrawer, positions
from app.figures.live.scene import LiveScene
from fnprune_core.errors import SettingsError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.folders import storage_errors

FilmKind = Literal["mp4", "gif"]
_SIZES: dict[FilmKind, tuple[int, int]] = {"mp4": (1280, 640), "gif": (800, 400)}
#: An MP4 fades between tokens; each frame of a GIF is stored nearly whole.
_FRAMES_A_TOKEN: dict[FilmKind, int] = {"mp4": 3, "gif": 1}
_GIF_COLOURS = 96
SPEEDS = (1.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """How a film is made.

    Parameters
    ----------
    kind : {"mp4", "gif"}
    tokens_per_second : float
    """

    kind: FilmKind = "mp4"
    tokens_per_second: float = 4.0

    def __post_init__(self) -> None:
        if self.kind not in _SIZES:
            raise SettingsError(f"A film is mp4 or gif, not {self.kind!r}.")
        if not SPEEDS[0] <= self.tokens_per_second <= SPEEDS[1]:
            raise SettingsError(
                f"A film runs at {SPEEDS[0]:g} to {SPEEDS[1]:g} tokens a second, not "
                f"{self.tokens_per_second:g}."
            )

    @property
    def suffix(self) -> str:
        """Ending of the file."""
        return f".{self.kind}"

    @property
    def frames_per_second(self) -> float:
        """Frames of a second."""
        return self.tokens_per_second * _FRAMES_A_TOKEN[self.kind]


def write_film(
    scene: LiveScene,
    target: Path,
    film: Film,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write a film of a scene, at once, making its folder if it is not there; return its path.

    Stopped or failed, it leaves nothing behind.
    """
    width, height = _SIZES[film.kind]
    drawer = FrameDrawer(scene=scene, width=width, height=height)
    places = positions(scene.healthy.n_tokens, _FRAMES_A_TOKEN[film.kind])

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number, place in enumerate(places, start=1):
            cancel.raise_if_cancelled()
            yield drawer.frame(place)
            progress(ProgressEvent(stage="drawing", done=number, total=len(places), unit="frames"))

    temporary = target.with_name(f".{target.name}{film.suffix}")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if film.kind == "mp4":
                _write_mp4(temporary, frames(), (width, height), film.frames_per_second)
            else:
                _write_gif(temporary, frames(), film.frames_per_second)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return target


def _write_mp4(
    path: Path, frames: Iterator[NDArray[np.uint8]], size: tuple[int, int], per_second: float
) -> None:
    writer = imageio_ffmpeg.write_frames(
        str(path), size, fps=per_second, codec="libx264", pix_fmt_out="yuv420p", quality=7,
        macro_block_size=2, output_params=["-movflags", "+faststart"], ffmpeg_log_level="error",
    )  # fmt: skip
    writer.send(None)  # its generator opens the program
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _write_gif(path: Path, frames: Iterator[NDArray[np.uint8]], per_second: float) -> None:
    pictures = (
        Image.fromarray(frame).quantize(_GIF_COLOURS, dither=Image.Dither.NONE) for frame in frames
    )
    next(pictures).save(
        path, save_all=True, append_images=pictures, duration=round(1000 / per_second), loop=0,
        optimize=False,
    )  # fmt: skip
