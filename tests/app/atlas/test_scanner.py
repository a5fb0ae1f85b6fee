"""As in the scanner: the network beside a brain, and nilearn's own pictures."""

import re

import numpy as np
import pytest

from app.atlas.scanner import side_by_side
from app.shell import resources, view_fields, view_state
from app.widgets.body import note
from fnprune_core.atlas import cortex


def shown(at) -> list[str]:
    """Return the text alternatives of the page's images."""
    return [each.alt for node in at.get("image") for each in node.proto.imgs]


def everything(at) -> str:
    """Return all that the page draws as Markdown, caption or HTML."""
    return "\n".join(each.value for each in (*at.markdown, *at.caption, *at.subheader))


def test_network_and_brain_stand_side_by_side(open_page, example) -> None:
    cortex.lay_out(resources.workspace(), example.atlas)
    for parameters in ({}, {"show": "turn"}):  # nilearn's own page was there once
        at = open_page("scanner", **example.view(), network="2", z="2.5", **parameters)
        assert not at.exception
        assert not at.error
        assert [each.value for each in at.subheader] == [
            "Network 2 of the model",
            "Left or right hand, real brains",
        ]
        told = everything(at).replace("\\", "")
        n = int((np.abs(resources.atlas(example.atlas).maps[2]) > 2.5).sum())
        assert f"Network 2: {n} units have |z| above 2.5" in told
        assert "left against right button press" in told
        assert "test over people" in told
        assert told.count("the layout is computed") == 1
        assert not at.info


def test_both_maps_have_one_threshold_one_limit_and_one_family(example, monkeypatch) -> None:
    cortex.lay_out(resources.workspace(), example.atlas)
    drawn = {}
    monkeypatch.setattr(view_state, "view", lambda: view_fields.ViewState(z=2.5))
    monkeypatch.setattr(
        note, "viewer", lambda scene, **options: drawn.update({options["key"]: scene})
    )
    monkeypatch.setattr(note, "describe", lambda *args, **options: None)
    side_by_side.show_map(resources.atlas(example.atlas), 2)
    model, brain = drawn.values()
    assert model.threshold == brain.threshold
    assert model.overlays[0].limit == brain.overlays[0].limit >= 2.5
    assert model.family == brain.family
    assert brain.fwhm is None
    assert not brain.layers


@pytest.mark.parametrize("picture", ["several", "carpet", "matrix"])
def test_each_picture_opens_by_its_link(open_page, example, picture) -> None:
    at = open_page("scanner", **example.view(), network="1", z="1.5", show=picture, beside="0.3")
    assert not at.exception
    assert not at.error
    (says,) = shown(at)
    if picture == "several":
        assert "0.9, 0.6 of the threshold 1.5" in says
    assert "of networks 1, 0, 3" in says or "Networks 1, 0, 3" in says or picture == "matrix"
    assert "units of this atlas have no places" in at.info[0].value
    assert not re.search(r"on the (left|right)", everything(at), re.IGNORECASE)
