"""Pixels as files: PNG, WebP, and addresses that hold a file's bytes."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MOST_IN_A_PALETTE = 256
_QUALITY = 62  # of WebP: blocks begin to show in the grey below it


def data_uri(content: bytes, media_type: str) -> str:
    """Return bytes as an address that holds them: for what has no address of its own."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def png(image: Image.Image, *, optimize: bool = True) -> bytes:
    """Return an image as PNG; optimized, it is smaller and takes longer."""
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=optimize)
    return stream.getvalue()


def webp(image: Image.Image) -> bytes:
    """Return an image as WebP."""
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()


def as_png(
    codes: NDArray[np.integer], colours: NDArray[np.uint8], *, optimize: bool = False
) -> str:
    """Return a picture of one pixel a cell as PNG in a data URI, the first row on top.

    Parameters
    ----------
    codes : ndarray (rows, columns)
        Each cell's row of `colours`.
    colours : ndarray (n_colours, 3 or 4)
        Red, green and blue, and opacity where there is some.
    optimize : bool
        Make the file smaller and take longer.
    """
    if len(colours) <= _MOST_IN_A_PALETTE:
        image = Image.fromarray(codes.astype(np.uint8), mode="P")
        image.putpalette(colours.tobytes(), "RGB" if colours.shape[1] == 3 else "RGBA")
    else:
        image = Image.fromarray(colours[codes])
    return data_uri(png(image, optimize=optimize), "image/png")
