"""The embedding page: computed as a job, coloured, and picked from."""

import numpy as np
import pytest
from driving import finish, press, view

from app.figures.embedding import Colouring, NetworkPoints, UnitPoints, networks_map, units_map
from app.figures.theme import PAPER, READING_ROOM, qualitative
from app.shell import resources
from app.shell.caches import embedding as cache
from app.widgets import lasso
from fnprune_core.atlas import embedding

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
    return units_map(points(), colouring=colouring, selected=1, threshold=3.0, palette=palette)


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
    assert "2 of them, drawn on top, to network 1" in picture.alternative


def test_colours_follow_network_layer_and_domain() -> None:
    by_network = drawn("network").figure.data[0].marker
    assert by_network.color.tolist() == points().network.tolist()
    assert by_network.colorscale[-1][1] == qualitative(READING_ROOM, 3)[2]
    assert drawn("layer").figure.data[0].marker.color.tolist() == points().layer.tolist()
    groups = {t.name: sorted(t.customdata.tolist()) for t in drawn("domain").figure.data[:-1]}
    assert groups == {"no domain": [8, 9], "x": [0, 1, 2, 3], "&lt;y&gt;": [4, 5, 6, 7]}
    assert drawn("domain", PAPER).figure.data[1].marker.color == qualitative(PAPER, 2)[0]


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


def test_rows_come_from_customdata_once_however_it_is_wrapped() -> None:
    event = {
        "selection": {
            "points": [{"customdata": 4}, {"customdata": [2]}, {"x": 1.0}, {"customdata": 4}]
        }
    }
    assert lasso.chosen_rows(event) == [2, 4]
    assert lasso.chosen_rows(None) == []


@pytest.fixture
def placed(example, monkeypatch):
    """The example, with UMAP (slow to compile) replaced by a projection."""

    def project(features, **options):
        return np.asarray(features[:, :2] + 1e-3 * features[:, 2:4], dtype=np.float32)

    monkeypatch.setattr(embedding, "place_units", project)
    monkeypatch.setattr(embedding, "place_networks", lambda d, **_: d[:, :2].astype(np.float32))
    embedding.embed(resources.workspace(), example.atlas)
    return example


def test_the_embedding_is_offered_made_and_found(open_page, placed) -> None:
    folder = resources.workspace().folder("embeddings", embedding.embedding_id(placed.atlas))
    (folder / "manifest.json").rename(folder.parent / "kept.json")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    at = open_page("embedding", **placed.view())
    assert not at.get("plotly_chart")
    press(at, "Compute the embedding")
    assert finish(at).state == "done"
    at.run()
    (chart,) = at.get("plotly_chart")
    assert "UMAP of 144 units" in chart.proto.alt
    assert any("All 144 units that vary are shown." in c.value for c in at.caption)
    assert not at.exception


def test_a_lasso_lists_units_and_opens_a_network(open_page, placed, monkeypatch) -> None:
    monkeypatch.setattr(lasso, "chosen_rows", lambda event: list(range(30)))
    monkeypatch.setattr(lasso, "MOST_ROWS", 12)
    at = open_page("embedding", **placed.view(), z="1.5")
    assert "30 units selected" in [h.value for h in at.subheader]
    assert "The 12 strongest of 30 are listed." in [c.value for c in at.caption]
    listed = at.dataframe[-1].value
    assert len(listed) == 12
    assert (listed["z"].abs().diff().dropna() <= 0).all()
    whole = cache.unit_table(placed.atlas, 1.5, list(range(30)))
    counts = whole.loc[whole["network"] >= 0, "network"].value_counts()
    buttons = [b.label for b in at.button if str(b.key).startswith("embedding-open-")]
    said = [int(label.rsplit(": ", 1)[1].split()[0]) for label in buttons]
    assert sum(said) == counts.sum()
    assert f"and {30 - sum(said)} in no network at this threshold" in [c.value for c in at.caption]
    most = whole.loc[whole["network"] >= 0, "network"].value_counts().index[0]
    press(at, next(b.label for b in at.button if b.key == f"embedding-open-{most}"))
    assert view(at).network == most
    assert not at.exception


def test_networks_are_drawn_with_their_neighbours_and_a_click_selects(
    open_page, placed, monkeypatch
) -> None:
    at = open_page("embedding", **placed.view(), show="maps", network="2")
    (chart,) = at.get("plotly_chart")
    assert "UMAP of 6 networks" in chart.proto.alt
    near = cache.neighbours(placed.atlas, 2, by="maps")
    assert len(near) == 5
    assert 2 not in near
    monkeypatch.setattr(lasso, "chosen_rows", lambda event: [4])
    at.run()
    assert view(at).network == 4
    assert not at.exception


def test_the_threshold_is_the_views(open_page, placed) -> None:
    at = open_page("embedding", **placed.view(), z="2")
    at.number_input(key="embedding-z").set_value(4.0).run()
    assert view(at).z == 4.0
    assert "|z| above 4" in at.get("plotly_chart")[0].proto.alt
