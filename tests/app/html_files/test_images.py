import base64
import io

import numpy as np
from PIL import Image

from app.figures.theme import PALETTES, rgb
from app.html_files.images import both, matrix_png


def pixels(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_a_matrix_has_a_pixel_a_cell_its_signs_and_a_zero_of_neither() -> None:
    values = np.array([[0.6, -0.6], [0.0, 0.3]])
    for palette in PALETTES.values():
        shown = pixels(matrix_png(values, limit=0.6, palette=palette))
        assert shown.shape == (2, 2, 3)
        assert tuple(shown[0, 0]) == rgb(palette.hot[-1])
        assert tuple(shown[0, 1]) == rgb(palette.cold[-1])
        assert tuple(shown[1, 0]) == rgb(palette.silhouette)
        red, _, blue = shown[1, 1]
        assert red > blue


def test_one_picture_for_both_modes_is_known_as_one() -> None:
    assert both(lambda palette: "same").is_one
    assert not both(lambda palette: palette.canvas).is_one
