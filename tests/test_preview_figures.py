"""Pictures of a preview, as data: what goes is a gap, and estimates are ranked."""

import numpy as np
import pandas as pd
import pytest

from app.figures.preview import MOST_CELLS, Sheets, cost_bars, removed_sheets
from app.theme import PALETTES

COLOURS = ["#ff0000", "#00ff00"]
DARK = PALETTES["dark"]


def sheets(**changes) -> Sheets:
    """Two layers of 2 × 3 cells, the last one of each empty: 10 units."""
    unit = np.array([[[0, 1, 2], [3, 4, -1]], [[5, 6, 7], [8, 9, -1]]])
    keep = np.ones(10, dtype=bool)
    keep[[1, 8]] = False
    network = np.array([0, 0, -1, 1, -1, -1, 1, 1, 1, -1])
    return Sheets(unit=unit, first=np.array([0, 5]), network=network, keep=keep, **changes)


def shown(picture, name: str) -> dict[int, float]:
    """Return by flat unit the value with which a heat map of this name draws it."""
    trace = next(t for t in picture.figure.data if t.name == name)
    values, told = np.asarray(trace.z), np.asarray(trace.customdata)
    cells = np.argwhere(np.isfinite(values))
    return {int(5 * told[r, c, 0] + told[r, c, 1]): float(values[r, c]) for r, c in cells.tolist()}


def test_every_unit_is_drawn_once_as_what_becomes_of_it() -> None:
    picture = removed_sheets(sheets(), colours=COLOURS, palette=DARK)
    stays, goes = shown(picture, "stays"), shown(picture, "would go")
    assert sorted([*stays, *goes]) == list(range(10))
    assert set(goes) == {1, 8}
    assert stays == {k: float(sheets().network[k]) for k in range(10) if k not in (1, 8)}
    table = picture.table.set_index("network")
    assert table["units"].to_dict() == {-1: 4, 0: 2, 1: 4}
    assert table["would go"].to_dict() == {-1: 0, 0: 1, 1: 1}
    assert "2 of 10 units would go" in picture.alternative
    assert "Network 0 would lose most of its members, 50%" in picture.alternative


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
    assert sum(np.isfinite(t.z).sum() for t in picture.figure.data) == ((side + 1) // 2) ** 2


@pytest.mark.parametrize("mode", PALETTES)
def test_estimates_are_ranked_and_what_is_dropped_can_be_seen(mode) -> None:
    """In the light mode bars of dropped networks were once drawn in the page's own colour."""
    palette = PALETTES[mode]
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
    assert "most for network 3, d (3.0%), least for network 0, a (1.00%)" in picture.alternative
