"""As in the scanner: nilearn's own pictures, in both modes, and names that are markup."""

import re

import pytest

from app.shell import resources
from fnprune_core.atlas import annotations, cortex, network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.storage.workspace import Workspace

MARKUP = "<script>alert(1)</script> $x$ [a](b)"


def shown(at) -> list[str]:
    """Return the text alternatives of the page's images."""
    return [each.alt for node in at.get("image") for each in node.proto.imgs]


def everything(at) -> str:
    """Return all that the page draws as Markdown, caption or HTML."""
    return "\n".join(each.value for each in (*at.markdown, *at.caption, *at.subheader))


def test_network_and_brain_stand_side_by_side(open_page, example) -> None:
    cortex.lay_out(resources.workspace(), example.atlas)
    at = open_page("scanner", **example.view(), network="2", z="2.5")
    assert not at.exception
    assert not at.error
    model, brain = shown(at)
    assert model.startswith("Network 2 by plot_stat_map")
    assert "|z| above 2.5" in model
    assert "left against right button press" in brain
    assert any("no test" in text.value or "test over people" in text.value for text in at.markdown)
    assert not at.info


@pytest.mark.parametrize("picture", ["turn", "several", "carpet", "matrix"])
def test_each_picture_opens_by_its_link(open_page, example, picture) -> None:
    at = open_page("scanner", **example.view(), network="1", z="1.5", show=picture, beside="0.3")
    assert not at.exception
    assert not at.error
    if picture == "turn":
        (frame,) = at.get("iframe")
        assert "brainsprite" in frame.proto.srcdoc
        assert not re.search(r"(src|href)=.?https?:", frame.proto.srcdoc)
    else:
        (says,) = shown(at)
        if picture == "several":
            assert "0.9, 0.6 of the threshold 1.5" in says
        assert "of networks 1, 0, 3" in says or "Networks 1, 0, 3" in says or picture == "matrix"
    assert "units of this atlas have no places" in at.info[0].value
    assert not re.search(r"on the (left|right)", everything(at), re.IGNORECASE)


def test_names_that_are_markup_are_shown_as_text(open_page, example, fresh) -> None:
    atlas = network_atlas.open_atlas(Workspace(fresh), example.atlas)
    annotations.annotate(Workspace(fresh), atlas, 1, Annotation(name=MARKUP))
    at = open_page("scanner", **example.view(), network="1", z="1.5", show="several")
    assert not at.exception
    drawn = "".join(block.value for block in at.html)
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert MARKUP not in everything(at)
    assert MARKUP in at.selectbox[0].options[1]  # a widget's option is plain text
