"""A plan as a lesion: what goes is the hole, and who loses most is named around it."""

import numpy as np
import pytest

from app.pruning.lab.preview import body
from app.pruning.lab.preview.figures import Sheets, network_table
from app.shell import resources, view_fields, view_state
from app.shell.images import files as images
from app.widgets.body.viewer import Pick
from fnprune_core.atlas import cortex


@pytest.fixture
def sheets(example, monkeypatch) -> Sheets:
    """A plan that removes every unit of network 3, half of network 1's, and no other."""
    monkeypatch.setattr(view_state, "view", lambda: view_fields.ViewState(z=1.5))
    cortex.lay_out(resources.workspace(), example.atlas)
    atlas = resources.atlas(example.atlas)
    network = atlas.parcellation(z=1.5)
    keep = network != 3
    keep[np.flatnonzero(network == 1)[::2]] = False
    return Sheets(
        unit=resources.cortex(atlas.id).unit_volume(),
        first=atlas.layout.offsets[:-1],
        network=network,
        keep=keep,
    )


def test_those_that_lose_most_come_first_and_those_that_lose_nothing_not(sheets) -> None:
    assert body.losers(sheets) == [3, 1]
    whole = Sheets(
        unit=sheets.unit, first=sheets.first, network=sheets.network,
        keep=np.ones_like(sheets.keep),
    )  # fmt: skip
    assert body.losers(whole) == []


def test_the_hole_is_what_goes(sheets, example) -> None:
    atlas = resources.atlas(example.atlas)
    scene = body.scene(atlas, sheets, words="w")
    assert np.array_equal(scene.lesion.removed, ~sheets.keep)
    assert [overlay.id for overlay in scene.overlays] == [1, 3]
    assert scene.overlays[1].name.endswith(": 100 % would go")
    share = network_table(sheets).set_index("network")["share"][1]
    assert scene.overlays[0].name.endswith(f": {100 * share:.0f} % would go")
    assert scene.threshold.value == 1.5


def test_a_press_selects_the_unit_a_name_its_network(sheets, example, monkeypatch) -> None:
    changed: dict[str, int] = {}
    monkeypatch.setattr(view_state, "change", lambda **fields: changed.update(fields))
    atlas = resources.atlas(example.atlas)
    x, y, z = (int(at) for at in images.grid(atlas.id).voxel_of_unit[30])
    body.take_pick(atlas, Pick(voxel=(x, y, z)))
    assert changed == {"unit": 30}
    changed.clear()
    body.take_pick(atlas, Pick(item=3))
    assert changed == {"network": 3}
    changed.clear()
    body.take_pick(atlas, Pick(voxel=(-5, 0, 0), item=3))
    assert not changed
