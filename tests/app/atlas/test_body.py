"""A network in the body: the page around the viewer, its words, presses and threshold."""

import numpy as np
import pytest
from driving import finish, press, view

from app.atlas.networks import body
from app.shell import resources, view_state
from app.shell.images import files as images
from fnprune_core.atlas import cortex
from fnprune_core.progress import Cancelled


@pytest.fixture
def placed(example):
    """The example with its cortex laid out."""
    cortex.lay_out(resources.workspace(), example.atlas)
    return example


@pytest.fixture
def state(monkeypatch):
    """A view of its own, as a session would hold it."""
    held = {"view": view_state.ViewState()}

    def change(**fields) -> None:
        held["view"] = view_state.replace(held["view"], **fields)

    monkeypatch.setattr(view_state, "view", lambda: held["view"])
    monkeypatch.setattr(view_state, "change", change)
    monkeypatch.setattr(view_state, "remember", held.__setitem__)
    return held


def test_the_page_opens_from_a_link_with_one_slider_less(open_page, placed) -> None:
    at = open_page("atlas", **placed.view(), map="viewer", network="2", z="1.5")
    assert not at.exception
    assert not at.error
    assert not at.get("plotly_chart")
    assert "Threshold |z|" not in [slider.label for slider in at.slider]
    assert "Places are ours" in " ".join(caption.value for caption in at.caption)
    assert "Units beyond 1.5" in [metric.label for metric in at.metric]
    at = open_page("atlas", **placed.view(), map="slices")
    assert "Threshold |z|" in [slider.label for slider in at.slider]


def test_places_are_laid_out_by_themselves_once_a_visit(open_page, example, monkeypatch) -> None:
    def stopped(*_: object, cancel, **__: object) -> str:
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr(cortex, "lay_out", stopped)
        at = open_page("atlas", **example.view(), map="viewer")
        assert finish(at).state == "cancelled"
    assert not at.exception
    assert len(resources.jobs().jobs()) == 1
    press(at, "Lay out the cortex")
    assert finish(at).state == "done"
    assert cortex.has_cortex(resources.workspace(), example.atlas)


def test_the_parcellation_keeps_a_picture_of_its_own(open_page, placed) -> None:
    at = open_page("parcellation", **placed.view(), map="viewer")
    assert not at.exception
    assert not at.error
    (chart,) = at.get("plotly_chart")
    assert "of 144 units" in chart.proto.alt
    assert view(at).map == "viewer"


def test_a_press_selects_the_unit_of_its_voxel_and_no_other(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    units = images.grid(atlas.id).unit_of_voxel
    for unit in (0, 17, atlas.layout.n_units - 1):
        x, y, z = (int(place) for place in np.argwhere(units == unit)[0])
        body.pick_voxel(atlas, (x, y, z))
        assert state["view"].unit == unit
        assert images.layers(atlas.id)[z] == atlas.layout.locate(unit)[0]
    for outside in ((-1, 0, 0), (0, units.shape[1], 0), (0, 0, 10**9)):
        body.pick_voxel(atlas, outside)
        assert state["view"].unit == atlas.layout.n_units - 1


def test_the_cross_hair_begins_at_the_picked_unit_else_at_the_peak(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    grid, z = images.grid(atlas.id), atlas.maps[2]
    inverse = np.linalg.inv(grid.affine)

    def unit_at(place) -> int:
        return int(grid.unit_of_voxel[tuple(np.rint(inverse @ [*place, 1])[:3].astype(int))])

    assert unit_at(body.place_of(atlas, 2, 0)) == np.abs(z).argmax()
    assert unit_at(body.place_of(atlas, 2, -1)) == z.argmin()
    view_state.change(unit=5)
    assert unit_at(body.place_of(atlas, 2, 0)) == 5


def test_words_count_the_raw_units_of_the_poles_that_are_shown(placed) -> None:
    atlas = resources.atlas(placed.atlas)
    n_above, n_below = int((atlas.maps[2] > 1.5).sum()), int((atlas.maps[2] < -1.5).sum())
    both = body.in_words(atlas, 2, z=1.5, pole=0)
    assert f"{n_above:,} neurons with z above 1.5" in both
    assert f"{n_below:,} neurons with z below −1.5" in both
    assert "below" not in body.in_words(atlas, 2, z=1.5, pole=1)


def test_a_threshold_that_is_let_go_of_is_the_views(state) -> None:
    body.set_threshold(4.26)
    assert (state["view"].z, state["atlas-z"]) == (4.3, 4.3)
    body.set_threshold(99.0)
    assert state["view"].z == view_state.Z_RANGE[1]
