"""Pictures of a preview, as data: what goes is a gap, and estimates are ranked."""

import base64
import io

import numpy as np
import pandas as pd
from PIL import Image

from app.figures.theme import PALETTES, rgb
from app.pruning.lab.preview.figures import MOST_CELLS, Sheets, cost_bars, removed_sheets

COLOURS = ["#ff0000", "#00ff00"]
DARK = PALETTES["dark"]


def sheets(**changes) -> Sheets:
    """Two layers of 2 × 3 cells, the last one of each empty: 10 units."""
    unit = np.array([[[0, 1, 2], [3, 4, -1]], [[5, 6, 7], [8, 9, -1]]])
    keep = np.ones(10, dtype=bool)
    keep[[1, 8]] = False
    network = np.array([0, 0, -1, 1, -1, -1, 1, 1, 1, -1])
    return Sheets(unit=unit, first=np.array([0, 5]), network=network, keep=keep, **changes)


def pixels(picture) -> np.ndarray:
    """Return the colours of the map, (rows, columns, 4), as a browser reads them."""
    source = picture.figure.data[0].source.partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGBA"))


def test_every_unit_is_drawn_once_as_what_becomes_of_it() -> None:
    picture = removed_sheets(sheets(), colours=COLOURS, palette=DARK)
    [image] = picture.figure.data
    goes, none = (*rgb(DARK.silhouette), 255), (*rgb(DARK.quiet), 115)
    found = {}
    for colour, told, word in zip(
        pixels(picture).reshape(-1, 4).tolist(),
        np.asarray(image.customdata).reshape(-1, 3).tolist(),
        np.asarray(image.text).ravel().tolist(),
        strict=True,
    ):
        if colour[3]:  # the rest lies between the sheets
            unit = 5 * told[0] + told[1]
            assert unit not in found
            assert told[2] == sheets().network[unit]
            assert word.endswith(", would go") == (tuple(colour) == goes)
            assert word.startswith(" (none)") == (told[2] < 0)
            found[unit] = tuple(colour)
    looks = {-1: none, 0: (255, 0, 0, 255), 1: (0, 255, 0, 255)}
    assert found == {
        unit: looks[int(sheets().network[unit])] if sheets().keep[unit] else goes
        for unit in range(10)
    }
    table = picture.table.set_index("network")
    assert table["units"].to_dict() == {-1: 4, 0: 2, 1: 4}
    assert table["would go"].to_dict() == {-1: 0, 0: 1, 1: 1}
    assert "2 of 10 units would go" in picture.alternative
    assert "Network 0 would lose most of its members, 50 %" in picture.alternative


def test_pins_are_marked_by_a_sign_each_and_a_lasso_finds_units() -> None:
    pinned = sheets(stay=(3,), go=(6, 7))
    picture = removed_sheets(pinned, colours=COLOURS, palette=DARK, can_select=True)
    marks = {t.name: len(t.x) for t in picture.figure.data if str(t.name).startswith("pinned")}
    assert marks == {"pinned to stay": 1, "pinned to go": 2}
    [points] = [t for t in picture.figure.data if t.type == "scattergl"]
    assert sorted(points.customdata) == list(range(10))
    assert "3 pinned units" in picture.alternative


def test_a_large_model_is_thinned_and_says_so() -> None:
    side = int(MOST_CELLS**0.5) + 1
    large = Sheets(
        unit=np.arange(side * side).reshape(1, side, side),
        first=np.array([0]),
        network=np.zeros(side * side, dtype=np.int64),
        keep=np.ones(side * side, dtype=bool),
    )
    picture = removed_sheets(large, colours=COLOURS, palette=DARK)
    assert "One of 4 units is drawn" in picture.alternative
    assert (pixels(picture)[..., 3] > 0).sum() == ((side + 1) // 2) ** 2


def test_estimates_are_ranked_and_what_is_dropped_can_be_seen() -> None:
    """In the light mode bars of dropped networks were once drawn in the page's own colour."""
    palette = PALETTES["light"]
    costs = pd.DataFrame(
        {
            "network": [0, 1, 2, 3],
            "preserved": [True, False, True, True],
            "energy": [0.01, 0.02, np.nan, 0.03],
        }
    )
    picture = cost_bars(
        costs, column="energy", says="what is lost", names=list("abcd"), palette=palette
    )
    figure = picture.figure
    assert list(figure.layout.xaxis.categoryarray) == ["3", "1", "0", "2"]
    kept, dropped = figure.data
    assert (list(kept.x), list(dropped.x)) == (["3", "0", "2"], ["1"])
    np.testing.assert_allclose(dropped.y, [2.0])
    assert dropped.marker.color not in (palette.canvas, kept.marker.color)
    assert dropped.marker.pattern.fillmode == "overlay"  # the colour is that of the bar
    assert "most for network 3, d (3.0 %), least for network 0, a (1.00 %)" in picture.alternative
