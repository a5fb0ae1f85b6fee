"""The live scanner's body: what goes over the wire, where networks light up, and its size."""

import gzip
import json

import numpy as np
import pytest
from toy_volumes import GRID, RAGGED

from fnprune_core.atlas.images import live_body as module
from fnprune_core.atlas.images.anatomy import anatomy, typical_activity
from fnprune_core.atlas.images.live_body import LEAST_Z, MOST_Z, live_body
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((600, 600, 600, 590))
GRID_OF_600 = grid_of(LAYOUT, None)


def maps(layout=LAYOUT, n=3):
    z = np.random.default_rng(0).standard_normal((n, layout.n_units)).astype(np.float32)
    if layout is LAYOUT:
        z[0, layout.flat(1, np.arange(40))] += 9.0
        z[1, layout.flat(2, np.arange(40))] -= 9.0
    return z


def body_of(z, grid):
    return live_body(z, typical_activity(z, grid.layout), grid)


def test_networks_light_up_where_their_units_are_with_their_sign() -> None:
    z = maps()
    body = body_of(z, GRID_OF_600)
    for network, layer, sign in ((0, 1, 1), (1, 2, -1)):
        voxels, found = body.z_of(network)
        assert np.all(np.diff(voxels.astype(np.int64)) > 0)
        assert np.abs(found).min() > LEAST_Z - MOST_Z / 127
        peak = voxels[np.abs(found).argmax()]
        x, y, depth = np.unravel_index(int(peak), body.shape, order="F")
        unit = body.unit_of_voxel[x, y, depth]
        assert LAYOUT.locate(int(unit))[0] == layer
        assert np.sign(found[np.abs(found).argmax()]) == sign


def test_its_bytes_say_all_of_it_again() -> None:
    body = body_of(maps(), GRID_OF_600)
    content = gzip.decompress(body.as_bytes())
    length = int(np.frombuffer(content, "<u4", 1)[0])
    facts = json.loads(content[4 : 4 + length])
    n, at = facts["starts"][-1], 4 + length
    steps = np.frombuffer(content, "<u4", n, at)
    weights = np.frombuffer(content, np.int8, n, at + 4 * n)
    grey = np.frombuffer(content, np.uint8, offset=at + 5 * n)
    for network in range(body.n_networks):
        part = slice(facts["starts"][network], facts["starts"][network + 1])
        voxels, z = body.z_of(network)
        assert np.array_equal(np.cumsum(steps[part]), voxels)
        assert np.allclose(weights[part] * facts["z_of_weight"], z)
    assert np.array_equal(grey.reshape(facts["shape"], order="F"), body.grey)
    assert np.allclose(facts["affine"], body.affine)
    assert body.as_bytes() == body_of(maps(), GRID_OF_600).as_bytes()


def test_its_grey_is_the_anatomy_and_each_unit_has_its_voxels() -> None:
    z = maps(RAGGED)
    body = body_of(z, GRID)
    assert np.array_equal(body.grey, anatomy(typical_activity(z, RAGGED), GRID))
    for unit in range(RAGGED.n_units):
        is_member = np.arange(RAGGED.n_units) == unit
        voxels = body.voxels_of(is_member)
        assert len(voxels) == np.count_nonzero(GRID.unit_of_voxel == unit)
        assert (body.unit_of_voxel.ravel(order="F")[voxels] == unit).all()


def test_a_large_body_is_pooled_and_keeps_its_place_and_its_peaks(monkeypatch) -> None:
    whole = body_of(maps(), GRID_OF_600)
    monkeypatch.setattr(module, "MOST_VOXELS", whole.grey.size // 3)
    pooled = body_of(maps(), GRID_OF_600)
    assert pooled.grey.size <= whole.grey.size // 3
    assert pooled.shape[2] == whole.shape[2]
    middles = []
    for body in (whole, pooled):
        inside = np.argwhere(body.grey > 0)
        middles.append(body.affine[:3, :3] @ inside.mean(axis=0) + body.affine[:3, 3])
    assert np.abs(middles[0] - middles[1]).max() < abs(pooled.affine[0, 0])
    voxels, z = pooled.z_of(0)
    layer = np.unravel_index(int(voxels[z.argmax()]), pooled.shape, order="F")[2]
    assert (
        layer
        == np.unravel_index(
            int(whole.z_of(0)[0][whole.z_of(0)[1].argmax()]), whole.shape, order="F"
        )[2]
    )


def test_maps_of_another_model_are_refused() -> None:
    with pytest.raises(SettingsError, match="2390"):
        live_body(maps(RAGGED), np.zeros(LAYOUT.n_units), GRID_OF_600)
