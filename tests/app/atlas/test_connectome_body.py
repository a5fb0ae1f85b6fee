"""The connectome in the body: spheres at the networks' places, edges by the measure, presses."""

import numpy as np
import pytest

from app.atlas.connectome import body
from app.atlas.connectome import data as cache
from app.atlas.connectome.graph_figures import edge_table
from app.shell import resources, view_fields, view_state
from app.shell.caches import trust
from app.shell.images import files as images
from app.widgets import atlas_frame
from app.widgets.body.viewer import Pick


def test_the_page_opens_from_a_link_with_partners_beside(open_page, placed) -> None:
    at = open_page("connectome", **placed.view(), show="body-e20", network="2")
    assert not at.exception
    assert not at.error
    told = " ".join(caption.value for caption in at.caption)
    assert "6 networks in the body with the 3 strongest pairs" in told
    assert "the layout is computed" in told
    assert any("Strongest partners of network 2" in each.value for each in at.markdown)


def test_without_places_they_are_laid_out(open_page, example) -> None:
    at = open_page("connectome", **example.view(), show="body")
    assert not at.exception
    assert resources.jobs().jobs()[0].kind == "lay_out"


def test_spheres_stand_in_the_body_and_edges_are_the_strongest_pairs(placed, monkeypatch) -> None:
    monkeypatch.setattr(view_state, "view", view_fields.ViewState)
    atlas = resources.atlas(placed.atlas)
    values = cache.values(atlas.id, "fnc", 3.0)
    edges = cache.edges(atlas.id, "fnc", 3.0, 20)
    graph = body.scene(atlas, values, edges, 4, words="w").graph
    grid = images.grid(atlas.id)
    inverse = np.linalg.inv(grid.affine)
    for place in graph.places:
        voxel = tuple(np.rint(inverse @ [*place, 1])[:3].astype(int))
        assert all(0 <= at < size for at, size in zip(voxel, grid.shape, strict=True))
    energy = trust.network_table(atlas.id)["variance_alone"].to_numpy()
    assert np.array_equal(np.argsort(graph.sizes), np.argsort(energy))
    assert [(a, b) for a, b, _ in graph.edges] == [tuple(pair) for pair in edges.tolist()]
    assert [value for *_, value in graph.edges] == pytest.approx(values[tuple(edges.T)])
    assert graph.selected == 4
    table = edge_table(values, edges, cache.names(atlas.id), cache.MEASURES["fnc"])
    assert table["Connectivity"].tolist() == values[tuple(edges.T)].round(4).tolist()


def test_a_pressed_sphere_selects_its_network(placed, monkeypatch) -> None:
    selected: list[int] = []
    monkeypatch.setattr(atlas_frame, "select", selected.append)
    atlas = resources.atlas(placed.atlas)
    for item in (3, 99, -1, None):
        body.take_pick(atlas, Pick(item=item))
    assert selected == [3]
