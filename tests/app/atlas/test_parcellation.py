"""The parcellation page: every picture, its legend, its presses, and what the URL keeps."""

from dataclasses import replace

import numpy as np
import pytest
from driving import alternatives, captions, drawn, said, view

from app.atlas.parcellation import data as cache
from app.atlas.parcellation import panels
from app.atlas.parcellation.figures import Look
from app.atlas.parcellation.panels import ParcelOptions
from app.figures.distinct import qualitative
from app.figures.theme import READING_ROOM
from app.shell import codec, resources
from app.shell.caches import colours
from app.shell.images import files as images
from app.widgets.body.viewer import Pick


@pytest.mark.parametrize("map_", ["body", "3d", "layers"])
def test_each_picture_opens_from_a_link_and_old_links_open_the_body(open_page, placed, map_):
    at = open_page("parcellation", **placed.view(), map=map_, network="2", z="1.5", show="n3-only")
    assert not at.exception
    assert not at.error
    assert at.toggle(key="parcels-only").value is True
    if map_ == "layers":
        assert "of a layer" in alternatives(at)[0]
        assert at.slider(key="parcels-z").value == 1.5
    else:
        assert not alternatives(at)
        assert "(|z| above 1.5)" in captions(at)
        assert "the layout is computed" in captions(at)
    assert "(random directions: permuted" in captions(at)
    legend = at.dataframe[0].value
    atlas = resources.atlas(placed.atlas)
    expected = atlas.parcel_table(z=1.5).sort_values("units", ascending=False, kind="stable")
    assert legend["network"].tolist() == expected["network"].tolist()
    assert legend["units"].tolist() == expected["units"].tolist()


def test_controls_are_kept_in_the_url(open_page, placed) -> None:
    at = open_page("parcellation", **placed.view(), z="1.5")
    at.segmented_control(key="parcels-view").set_value("layers").run()
    at.toggle(key="parcels-only").set_value(True).run()
    at.slider(key="parcels-z").set_value(2.0).run()
    held = view(at)
    assert (held.map, held.z) == ("layers", 2.0)
    assert codec.decode_words(ParcelOptions, held.show) == ParcelOptions(only=True)


def test_the_scene_has_a_colour_and_a_name_for_each_network(placed) -> None:
    atlas, look = resources.atlas(placed.atlas), cache.look(placed.atlas, "dark", only=3)
    scene = panels.scene(atlas, look, 1.5, 2)
    (parcels,) = scene.overlays
    assert list(parcels.colours) == list(colours.network_colours(placed.atlas, "dark"))
    assert [name.partition(" · ")[0] for name in parcels.names] == list(map(str, range(6)))
    assert parcels.only == 3
    assert set(parcels.labels) == set(parcels.strengths) == set(images.FWHMS)
    n = int((atlas.parcellation(z=1.5) >= 0).sum())
    assert f"{100 * n / 144:.0f} % of 144 units" in scene.alternative
    table = panels.sizes(atlas, look, 1.5)
    assert table["units"].sum() == n


def test_a_press_selects_the_region_and_the_unit_under_it(placed, monkeypatch) -> None:
    changed: dict[str, int] = {}
    monkeypatch.setattr(panels.view_state, "change", lambda **fields: changed.update(fields))
    atlas = resources.atlas(placed.atlas)
    x, y, z = (int(at) for at in images.grid(atlas.id).voxel_of_unit[17])
    panels.take_pick(atlas, Pick(voxel=(x, y, z), item=4))
    assert changed == {"unit": 17, "network": 4}
    changed.clear()
    panels.take_pick(atlas, Pick(voxel=(x, y, z), item=99))
    assert changed == {"unit": 17}
    changed.clear()
    panels.take_pick(atlas, Pick(voxel=(-1, 0, 0), item=4))
    panels.take_pick(atlas, Pick())
    assert not changed


def test_without_a_cortex_one_is_laid_out_and_layers_are_shown(open_page, example) -> None:
    assert colours.network_colours(example.atlas, "dark") == tuple(qualitative(6))
    at = open_page("parcellation", **example.view())
    assert not at.exception
    assert resources.jobs().jobs()[0].kind == "lay_out"
    assert "of a layer" in alternatives(at)[0]


def test_a_threshold_that_no_unit_reaches_is_said(open_page, placed) -> None:
    at = open_page("parcellation", **placed.view(), z="8")
    assert not at.exception
    assert "no unit belongs to any network (|z| above 8)" in captions(at)
    assert not said(at)


def test_all_but_the_selected_network_fade_by_layer() -> None:
    given = tuple(qualitative(4))
    look = Look(colours=given, names=("a", "b", "c", "d"), only=2)
    shown = look.drawn_colours(READING_ROOM)
    assert [shown[k] == given[k] for k in range(4)] == [False, False, True, False]
    assert replace(look, only=None).drawn_colours(READING_ROOM) == given


def test_the_body_and_the_legend_are_of_the_same_rule(open_page, placed, members_known) -> None:
    """The body was of |z| while the legend beside it counted members."""
    atlas, grid = resources.atlas(placed.atlas), images.grid(placed.atlas)
    labels, strengths = images.strongest_networks(atlas.id, 0, members=True)
    shown = np.where(grid.values(strengths) > 0, grid.values(labels) - 1, -1)
    assert np.array_equal(shown, atlas.parcellation())
    # At times as many in so small an atlas: it hangs on last bits of a tiny model.
    assert (shown >= 0).sum() <= (atlas.parcellation(z=3.0) >= 0).sum()
    at = open_page("parcellation", **placed.view(), map="body")
    assert not at.exception
    scene = drawn(at, "parcels-viewer")
    assert scene["threshold"] is None
    assert "members=1" in scene["overlays"][0]["labels"]["0"]
    assert "members=1" in scene["still"]
    n = int((atlas.parcellation() >= 0).sum())
    assert f"{100 * n / 144:.0f} % of 144 units" in scene["alternative"]
    assert at.dataframe[0].value["units"].sum() == n
    at.segmented_control(key="units of a network").set_value("By |z|").run()
    assert drawn(at, "parcels-viewer")["threshold"]["value"] == 3.0
    assert not at.slider  # the picture has one
    assert at.dataframe[0].value["units"].sum() == atlas.parcel_table(z=3.0)["units"].sum()


def test_the_slider_of_a_page_follows_the_picture_and_does_not_set_it_back(open_page, placed):
    at = open_page("parcellation", **placed.view(), map="layers")
    assert at.slider(key="parcels-z").value == 3.0
    at.session_state["view"] = replace(view(at), z=4.0)
    at.run()
    assert at.slider(key="parcels-z").value == view(at).z == 4.0
