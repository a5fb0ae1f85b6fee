"""What pictures are drawn of in tests, and what a browser gets of them."""

import json

import numpy as np

from app.figures.matrix import Arrangement, Measure, matrix
from app.figures.theme import READING_ROOM

FNC = Measure(title="Connectivity", says="r", is_signed=True)
EVIL = "<img src=x onerror=alert(1)>"


def sent(figure) -> str:
    """What the browser reads: plotly's own JSON hides every < behind an escape of JSON's."""
    return json.dumps(json.loads(figure.to_json()))


def similarity(k: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drivers = rng.standard_normal((3, 300))
    return np.corrcoef(drivers[np.arange(k) % 3] + rng.standard_normal((k, 300)))


def arrangement(k: int) -> Arrangement:
    order = tuple(reversed(range(k)))
    return Arrangement(order=order, blocks=(("a", 0, 2), (EVIL, 2, k)), said="ordered by group")


def a_matrix(k: int = 6, palette=READING_ROOM, **options):
    names = [f"{EVIL}{i}" for i in range(k)]
    settings = {"names": names, "measure": FNC, "selected": 1, **options}
    return matrix(similarity(k), arrangement(k), palette=palette, **settings)


def ball(radius: float) -> np.ndarray:
    """Return how deep each cell lies inside a ball around the middle of a 20³ volume."""
    grid = np.indices((20, 20, 20)) - 9.5
    return radius - np.sqrt(np.square(grid).sum(axis=0))


WIDTHS = (40, 24, 33)


def ragged_map(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.full((3, 40), np.nan, dtype=np.float32)
    for row, width in zip(values, WIDTHS, strict=True):
        row[:width] = rng.normal(0, 2, width)
    return values
