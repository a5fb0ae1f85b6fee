"""A network in the body: the page around the viewer, its words, presses and threshold."""

import numpy as np
import pytest
from driving import finish, press

from app.atlas.networks import body, picked_unit
from app.shell import resources, session_state, view_fields, view_state
from app.shell.caches.colours import network_colours
from app.shell.images import files as images
from app.widgets.body.scene import StatMap
from app.widgets.body.viewer import Pick, set_threshold
from fnprune_core.atlas import cortex
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.progress import Cancelled


@pytest.fixture
def state(monkeypatch):
    """A view of its own, as a session would hold it."""
    held = {"view": view_fields.ViewState()}

    def change(**fields) -> None:
        held["view"] = view_state.replace(held["view"], **fields)

    monkeypatch.setattr(view_state, "view", lambda: held["view"])
    monkeypatch.setattr(view_state, "change", change)
    monkeypatch.setattr(session_state, "remember", held.__setitem__)
    return held


@pytest.mark.parametrize("map_", ["body", "3d"])
def test_the_page_opens_in_the_body_from_a_link_old_ones_too(open_page, placed, map_) -> None:
    at = open_page("atlas", **placed.view(), map=map_, network="2", z="1.5")
    assert not at.exception
    assert not at.error
    assert not at.get("plotly_chart")
    assert "Threshold |z|" not in [slider.label for slider in at.slider]
    told = " ".join(caption.value for caption in at.caption)
    assert told.count("the layout is computed") == 1
    assert "Network 2 in the body of 3 layers" in told
    assert "Units beyond 1.5" in [metric.label for metric in at.metric]


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
    assert has_cortex(resources.workspace(), example.atlas)


def test_a_press_selects_the_unit_of_its_voxel_and_no_other(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    units = images.grid(atlas.id).unit_of_voxel
    for unit in (0, 17, atlas.layout.n_units - 1):
        x, y, z = (int(place) for place in np.argwhere(units == unit)[0])
        body.take_pick(atlas, 2, Pick(voxel=(x, y, z), fwhm=4.0))
        assert state["view"].unit == unit
        assert images.layers(atlas.id)[z] == atlas.layout.locate(unit)[0]
    for outside in ((-1, 0, 0), (0, units.shape[1], 0), (0, 0, 10**9)):
        body.take_pick(atlas, 2, Pick(voxel=outside))
        assert state["view"].unit == atlas.layout.n_units - 1


def test_a_pressed_name_opens_its_network_and_keeps_the_others_beside(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    view_state.change(network=2, beside=(0, 4))
    body.take_pick(atlas, 2, Pick(item=4))
    assert (state["view"].network, state["view"].beside) == (4, (0, 2))
    body.take_pick(atlas, 4, Pick(item=99))
    assert state["view"].network == 4


def test_units_under_a_press_are_listed_with_their_z(placed) -> None:
    atlas = resources.atlas(placed.atlas)
    x, y, z = (int(at) for at in images.grid(atlas.id).voxel_of_unit[17])
    table = picked_unit.under(atlas, 2, Pick(voxel=(x, y, z), fwhm=4.0))
    layer, index = atlas.layout.locate(17)
    first = table.iloc[0]
    assert (first["unit"], first["layer"], first["index"]) == (17, layer, index)
    assert first["z"] == pytest.approx(atlas.maps[2, 17], abs=0.006)
    assert table["weight"].is_monotonic_decreasing
    assert len(table) > 3


def test_the_cross_hair_begins_at_the_picked_unit_else_at_the_peak(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    grid = images.grid(atlas.id)
    inverse = np.linalg.inv(grid.affine)

    def voxel_at(place) -> tuple[int, ...]:
        return tuple(np.rint(inverse @ [*place, 1])[:3].astype(int))

    for pole, of_pole in ((1, atlas.maps[2]), (-1, -atlas.maps[2]), (0, np.abs(atlas.maps[2]))):
        peak = int(of_pole.argmax())
        found = voxel_at(body.place_of(atlas, 2, pole=pole))
        assert found == tuple(grid.voxel_of_unit[peak])
        if not pole:
            assert found[2] == atlas.peak_layers[2]
    view_state.change(unit=5)
    assert voxel_at(body.place_of(atlas, 2, pole=0)) == tuple(grid.voxel_of_unit[5])


def test_others_beside_have_their_own_colours_the_selected_on_top(placed, state) -> None:
    atlas = resources.atlas(placed.atlas)
    alone = body.scene(atlas, 2, z=1.5, limit=5.0, pole=-1)
    (overlay,) = alone.overlays
    assert isinstance(overlay, StatMap)
    assert overlay.pole == -1
    view_state.change(beside=(4, 0, 2, 99))
    scene = body.scene(atlas, 2, z=1.5, limit=5.0, pole=0)
    assert [overlay.id for overlay in scene.overlays] == [0, 4, 2]
    colours = network_colours(placed.atlas, "dark")
    assert [overlay.colour for overlay in scene.overlays] == [colours[k] for k in (0, 4, 2)]
    assert "Beside it, each in its own colour: network 4, network 0." in scene.alternative


def test_the_numbers_are_of_single_units_by_layer(placed) -> None:
    atlas = resources.atlas(placed.atlas)
    for pole, count in ((0, np.abs(atlas.maps[2]) > 1.5), (-1, atlas.maps[2] < -1.5)):
        table = body.by_layer(atlas, 2, z=1.5, pole=pole)
        assert table.iloc[:, 1].tolist() == [int(c.sum()) for c in atlas.layout.split(count)]
    assert "largest z" not in table.columns


def test_a_threshold_that_is_let_go_of_is_the_views(state) -> None:
    set_threshold(4.26)
    assert state["view"].z == 4.3
    set_threshold(99.0)
    assert state["view"].z == view_fields.Z_RANGE[1]


def test_words_count_the_raw_units_of_the_poles_that_are_shown(placed) -> None:
    atlas = resources.atlas(placed.atlas)
    n_above, n_below = int((atlas.maps[2] > 1.5).sum()), int((atlas.maps[2] < -1.5).sum())
    both = body.in_words(atlas, 2, z=1.5, pole=0)
    assert f"{n_above:,} units with z above 1.5" in both
    assert f"{n_below:,} units with z below −1.5" in both
    assert "below" not in body.in_words(atlas, 2, z=1.5, pole=1)
