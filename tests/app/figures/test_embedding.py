import numpy as np
import pytest

from app.figures.distinct import qualitative
from app.figures.embedding.networks import NetworkPoints, networks_map
from app.figures.embedding.units import Colouring, UnitPoints, units_map
from app.figures.theme import PAPER, READING_ROOM

NAMES = ["<b>a</b>", "b", "c"]


def points() -> UnitPoints:
    return UnitPoints(
        places=np.arange(20, dtype=np.float32).reshape(10, 2),
        layer=np.repeat([0, 1], 5),
        index=np.tile(np.arange(5), 2),
        network=np.array([0, 0, 0, 0, 1, 1, 2, 2, -1, -1]),
        z=np.array([4, 5, 6, -4, 5, 5, 5, -5, 1, -1], dtype=float),
    )


def drawn(by: str, palette=READING_ROOM):
    colouring = Colouring(by=by, names=NAMES, domains=["x", "<y>"], domain_of=[0, 1, 1])
    return units_map(points(), colouring=colouring, selected=1, rule="members", palette=palette)


@pytest.mark.parametrize("by", ["network", "layer", "domain"])
def test_every_unit_is_drawn_once_and_the_selected_networks_again(by) -> None:
    picture = drawn(by)
    *all_units, mine = picture.figure.data
    rows = np.concatenate([trace.customdata for trace in all_units])
    assert sorted(rows.tolist()) == list(range(10))
    for trace in all_units:
        assert np.array_equal(trace.x, points().places[trace.customdata, 0])
    assert mine.x.tolist() == [8, 10]
    assert mine.customdata is None  # a lasso must not count a unit twice
    assert mine.marker.color == READING_ROOM.accent
    assert mine.unselected.marker.opacity < 0.3  # drawn back outside a lasso, as all are
    assert picture.figure.layout.dragmode == "lasso"
    assert "10 units" in picture.alternative
    assert "belong to a network (members)" in picture.alternative
    assert "2 of them, drawn on top, to network 1" in picture.alternative


def test_colours_follow_network_layer_and_domain() -> None:
    by_network = drawn("network").figure.data[0].marker
    assert by_network.color.tolist() == points().network.tolist()
    assert by_network.colorscale[-1][1] == qualitative(3)[2]
    assert drawn("layer").figure.data[0].marker.color.tolist() == points().layer.tolist()
    groups = {t.name: sorted(t.customdata.tolist()) for t in drawn("domain").figure.data[:-1]}
    assert groups == {"no domain": [8, 9], "x": [0, 1, 2, 3], "&lt;y&gt;": [4, 5, 6, 7]}
    assert drawn("domain", PAPER).figure.data[1].marker.color == qualitative(2)[0]


def test_names_are_escaped_and_numbers_lie_on_their_networks() -> None:
    picture = drawn("network")
    assert picture.figure.data[0].text[0] == "layer 0, unit 0<br>0 · &lt;b&gt;a&lt;/b&gt;, z 4.0"
    (note,) = picture.figure.layout.annotations  # one network has three positive units
    assert (note.text, note.x, note.y) == ("0", 2.0, 3.0)
    assert picture.table["units shown"].tolist() == [4, 2, 2]


def test_networks_carry_their_number_and_tell_their_nearest() -> None:
    held = NetworkPoints(
        places=np.array([[0, 0], [1, 0], [5, 5]], dtype=np.float32), names=NAMES,
        sizes=np.array([10, 40, 0]), domain_of=[0, 1, 1], domains=["x", "y"],
    )  # fmt: skip
    picture = networks_map(held, selected=1, alike="maps are alike", palette=READING_ROOM)
    found = {k: t for t in picture.figure.data for k in t.customdata.tolist()}
    assert found[0].marker.line.width.tolist() == [1.0]
    assert found[1].marker.line.width.tolist() == [3.0, 1.0]
    assert "nearest to network 1 are 0, 2" in picture.alternative
