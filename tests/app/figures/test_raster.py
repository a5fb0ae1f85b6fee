import base64
import io

import numpy as np
from drawings import WIDTHS, ragged_map
from PIL import Image

from app.figures import raster
from app.figures.theme import PAPER, READING_ROOM, rgb


def test_grouping_by_network_moves_units_within_their_layer_only() -> None:
    values = ragged_map()
    labels = raster.by_layer(np.arange(sum(WIDTHS)) % 3, WIDTHS, fill=-2)
    grouped = raster.group_columns(values, labels)
    for before, after in zip(values, grouped, strict=True):
        np.testing.assert_array_equal(np.sort(before), np.sort(after))
    first = labels[0][~np.isnan(values[0])]
    np.testing.assert_array_equal(grouped[0][: (first == 0).sum()], values[0][labels[0] == 0])


def test_thumbnail_is_a_small_png_of_cells() -> None:
    uri = raster.thumbnail(
        np.tile(ragged_map(), (10, 40)), palette=READING_ROOM, threshold=2.0, limit=6.0
    )
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    content = base64.b64decode(body)
    assert len(content) < 6_000
    assert Image.open(io.BytesIO(content)).size == (2 * 64, 2 * 30)


def test_thumbnail_has_the_last_layer_on_top_and_the_themes_colours() -> None:
    values = np.zeros((2, 4), dtype=np.float32)
    values[1, 0] = 6.0
    uri = raster.thumbnail(values, palette=PAPER, threshold=2.0, limit=6.0, scale=1)
    content = base64.b64decode(uri.partition(",")[2])
    image = Image.open(io.BytesIO(content)).convert("RGB")
    assert image.getpixel((0, 0)) == rgb(PAPER.hot[-1])
    assert image.getpixel((0, 1)) == rgb(PAPER.silhouette)
