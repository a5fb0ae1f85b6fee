"""Membership is what halves agree on; an atlas shows it where it was measured, else |z| > 3."""

import numpy as np
import pytest
from toy_atlas import atlas_of

from fnprune_core.atlas.connectome import dice
from fnprune_core.atlas.files import members_table
from fnprune_core.atlas.membership import Members, agreed, members_id, members_inputs, read_members
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.reliability.assess import assessment_id
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.manifests import manifest_of
from fnprune_core.storage.workspace import Workspace

MAPS = np.zeros((3, 100), dtype=np.float32)
MAPS[0, :6] = [5, 4, -6, 3.5, 3.2, 8]
MAPS[1, 3:8] = [9, 4, 4, 4, -4]
MAPS[2, 90] = 7
KNOWN = np.zeros(MAPS.shape, dtype=bool)
KNOWN[0, [0, 2, 3]] = KNOWN[1, [3, 7]] = True


def checked() -> NetworkAtlas:
    atlas = atlas_of(maps=MAPS)
    return NetworkAtlas(atlas.decomposition, atlas.tokens, find_members=lambda: KNOWN)


def test_a_unit_must_be_strong_with_one_sign_everywhere() -> None:
    whole = np.array([[4.0, 4.0, 4.0, 2.9, -4.0, 4.0]])
    good = np.array([[3.1, 3.1, -9.0, 9.0, -3.1, 9.0]])
    weak = np.array([[3.1, 2.9, 9.0, 9.0, -3.1, 9.0]])
    none = np.zeros((1, 6))
    expected = [[True, False, False, False, True, True]]
    assert agreed(whole, [(good, weak)]).tolist() == expected
    # A unit needs most of the divisions: two of three, not one.
    assert agreed(whole, [(good, weak), (good, weak), (none, good)]).tolist() == expected
    assert not agreed(whole, [(good, weak), (none, good), (none, good)]).any()


def test_where_members_are_known_they_are_the_rule_everywhere() -> None:
    atlas, bare = checked(), atlas_of(maps=MAPS)
    assert atlas.members(0).tolist() == [0, 2, 3]
    assert atlas.members(0, z=3.0).tolist() == bare.members(0).tolist() == [0, 1, 2, 3, 4, 5]
    assert atlas.table()["units"].tolist() == [3, 2, 0]
    assert members_table(atlas)["unit"].nunique() == 4
    # Unit 3 belongs to both, and is stronger in the second; unit 5 belongs to none.
    assert np.flatnonzero(atlas.parcellation() == 0).tolist() == [0, 2]
    assert np.flatnonzero(atlas.parcellation() == 1).tolist() == [3, 7]
    assert bare.parcellation()[5] == 0
    assert atlas.parcel_table()["units"].tolist() == [2, 2, 0]
    assert dice(atlas)[0, 1] == pytest.approx(2 * 1 / (3 + 2))
    assert atlas.depth_profile(0)[0] == pytest.approx(3 / 30)
    assert atlas.rule() != bare.rule() == atlas.rule(3.0)


def test_the_peak_is_one_unit_whatever_counts_as_a_member() -> None:
    for atlas in (checked(), atlas_of(maps=MAPS)):
        assert atlas.peaks.tolist() == [5, 3, 90]
        layers = [0, 0, 2]
        assert atlas.peak_layers.tolist() == layers
        assert atlas.table()["peak_layer"].tolist() == layers
        assert atlas.parcel_table()["peak_layer"].tolist() == layers


def test_members_are_kept_under_the_id_that_trust_measures_them_by(tmp_path) -> None:
    atlas, workspace = atlas_of(maps=MAPS), Workspace(tmp_path)
    id = members_id(atlas.id)
    assert id == assessment_id(atlas.id, "members")
    assert read_members(workspace, atlas.decomposition) is None
    members = Members(
        packed=np.packbits(KNOWN, axis=1),
        beyond=np.array([6, 5, 1]),
        n_units=100,
        n_any=4,
        n_any_beyond=9,
        n_alive=100,
        n_planned=3,
    )
    folder = workspace.folder("assessments", id)
    with new_folder(folder) as made:
        members.save(made, manifest_of("assessments", members_inputs(atlas.id), {}))
    np.testing.assert_array_equal(read_members(workspace, atlas.decomposition), KNOWN)
    # Of networks that have other numbers here, and damaged, they are not known.
    assert read_members(workspace, atlas_of(maps=MAPS[[1, 0, 2]]).decomposition) is None
    (folder / "trust.safetensors").write_bytes(b"")
    assert read_members(workspace, atlas.decomposition) is None


def test_pictures_of_parcels_have_no_unit_that_is_no_member() -> None:
    maps = np.stack(list(checked().parcel_maps()))
    assert np.array_equal(maps != 0, KNOWN)
    assert np.array_equal(maps[KNOWN], MAPS[KNOWN])
    for whole in (checked().parcel_maps(z=2.0), atlas_of(maps=MAPS).parcel_maps()):
        assert np.array_equal(np.stack(list(whole)), MAPS)
