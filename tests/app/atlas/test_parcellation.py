"""The parcellation page: every picture, its legend, and what the URL keeps."""

import pytest
from driving import said, view

from app.atlas.parcellation import data as cache
from app.atlas.parcellation import panels
from app.atlas.parcellation.panels import ParcelOptions
from app.figures.theme import qualitative
from app.shell import codec, resources
from app.shell.caches import colours
from fnprune_core.atlas import cortex


@pytest.fixture
def placed(example):
    """The example with its cortex laid out."""
    cortex.lay_out(resources.workspace(), example.atlas)
    return example


def charts(at) -> list[str]:
    return [chart.proto.alt for chart in at.get("plotly_chart")]


@pytest.mark.parametrize(
    ("map_", "part"),
    [
        ("slices", "of 144 units"),
        ("sides", "From each side"),
        ("3d", "surfaces inside"),
        ("layers", "of a layer"),
    ],
)
def test_each_picture_opens_from_a_link(open_page, placed, map_, part) -> None:
    at = open_page("parcellation", **placed.view(), map=map_, network="2", z="1.5", show="n3-only")
    assert not at.exception
    assert not at.error
    (alternative,) = charts(at)
    assert part in alternative
    assert at.slider(key="parcels-z").value == 1.5
    assert at.toggle(key="parcels-only").value is True
    legend = at.dataframe[0].value
    atlas = resources.atlas(placed.atlas)
    expected = atlas.parcel_table(z=1.5).sort_values("units", ascending=False, kind="stable")
    assert legend["network"].tolist() == expected["network"].tolist()
    assert legend["units"].tolist() == expected["units"].tolist()


def test_controls_are_kept_in_the_url(open_page, placed) -> None:
    at = open_page("parcellation", **placed.view(), z="1.5")
    at.segmented_control(key="parcels-view").set_value("3d").run()
    at.slider(key="parcels-n").set_value(2).run()
    at.toggle(key="parcels-only").set_value(True).run()
    at.slider(key="parcels-z").set_value(2.0).run()
    held = view(at)
    assert (held.map, held.z) == ("3d", 2.0)
    assert codec.decode_words(ParcelOptions, held.show) == ParcelOptions(n_surfaces=2, only=True)
    largest = cache.parcel_table(placed.atlas, 2.0)["units"].sort_values(ascending=False)
    assert all(str(k) in charts(at)[0] for k in largest.index[:2])


def test_without_a_cortex_one_is_laid_out_and_layers_are_shown(open_page, example) -> None:
    at = open_page("parcellation", **example.view())
    assert not at.exception
    assert resources.jobs().jobs()[0].kind == "lay_out"
    assert "of a layer" in charts(at)[0]
    assert colours.network_colours(example.atlas, "dark") == tuple(
        qualitative(panels.frame.palette(), 6)
    )


def test_a_threshold_that_no_unit_reaches_is_said(open_page, placed) -> None:
    at = open_page("parcellation", **placed.view(), z="8")
    assert not at.exception
    assert "no unit has |z| above 8" in charts(at)[0]
    assert not said(at)


def test_options_of_other_pages_and_nonsense_are_passed_over() -> None:
    assert codec.decode_words(ParcelOptions, "texts-negative-n-n99999-nx") == ParcelOptions()
    assert codec.decode_words(ParcelOptions, "n0").n_surfaces == 1
    for chosen in (ParcelOptions(), ParcelOptions(n_surfaces=7), ParcelOptions(only=True)):
        assert codec.decode_words(ParcelOptions, codec.encode_words(chosen)) == chosen
