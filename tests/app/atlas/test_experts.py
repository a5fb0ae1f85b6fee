"""Experts on the pages: as parcels of a layer, on a unit's page, and in the map's borders."""

import shutil
import warnings

import numpy as np
import plotly.graph_objects as go
import pytest
from driving import alternatives, captions
from small import small_model
from study import begin

from app.figures.maps import add_experts, network_map
from app.figures.theme import PAPER
from fnprune_core.storage.workspace import Workspace


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return begin(Workspace(tmp_path_factory.mktemp("mixture")), small_model("deepseek_v3"))


@pytest.fixture
def mixture(recorded, fresh) -> dict[str, str]:
    """A workspace with the atlas of a tiny mixture; the URL's parameters that open it."""
    shutil.copytree(recorded.workspace.root, fresh)
    return {"recording": recorded.recording, "atlas": recorded.atlas}


def test_experts_are_parcels_by_units_and_by_tokens(open_page, mixture) -> None:
    at = open_page("atlas", **mixture, network="1", options="units")
    at.segmented_control(key="atlas-section").set_value("units").run()
    assert not at.exception
    assert "Experts" in [each.value for each in at.subheader]
    assert any("of its units in network 1" in text for text in alternatives(at))
    assert "at most 3 of up to 5 experts" in captions(at)
    box = at.selectbox(key="experts-shown")
    for shown, said in (
        ("Tokens seen", "of all tokens seen"),
        ("Tokens seen, where it is strong", "by network 1's energy"),
        (box.options[-1], "of tokens seen, of "),
    ):
        at.selectbox(key="experts-shown").set_value(shown).run()
        assert not at.exception
        assert any(said in text for text in alternatives(at))


def test_a_unit_is_named_with_its_expert(open_page, mixture) -> None:
    at = open_page("unit", **mixture, network="1", unit="130")
    assert not at.exception
    assert "Layer 1, unit 34, expert 1" in [each.value for each in at.subheader]
    at = open_page("unit", **mixture, network="1", unit="5")
    assert "Layer 0, unit 5" in [each.value for each in at.subheader]


def test_a_map_without_experts_has_no_such_section(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="1")
    at.segmented_control(key="atlas-section").set_value("units").run()
    assert "Experts" not in [each.value for each in at.subheader]


def test_borders_lie_between_experts() -> None:
    values = np.ones((2, 8), dtype=np.float32)
    picture = network_map(
        values, np.ones(2), network=0, threshold=0.5, limit=2.0, palette=PAPER
    )  # fmt: skip
    assert isinstance(picture.figure, go.Figure)
    add_experts(picture.figure, ((8,), (3, 5)), PAPER)
    border = picture.figure.data[-1]
    assert border.x[:2] == pytest.approx([2.5, 2.5])
    assert border.y[:2] == pytest.approx([0.5, 1.5])
    assert len(border.x) == 3
    assert [note.text for note in picture.figure.layout.annotations] == ["0", "1"]
    assert [note.x for note in picture.figure.layout.annotations] == [1.0, 5.0]
