"""Lists of networks and units: kept, merged, carried to other numbers, refused where damaged."""

import json

import numpy as np
import pytest
from toy_atlas import LAYOUT, N_NETWORKS, atlas_of

from fnprune_core.atlas.lists import lists
from fnprune_core.atlas.lists.lists import BOOKMARKS, Item
from fnprune_core.errors import CorruptArtifactError, SettingsError, TextError

NETWORK, UNIT = Item(kind="network", number=2), Item(kind="unit", number=7)


def test_items_are_put_into_lists_and_taken_out(workspace):
    atlas = atlas_of()
    assert lists.read_lists(workspace, atlas.id).items == {}
    lists.put(workspace, atlas, NETWORK, is_in=True)
    lists.put(workspace, atlas, UNIT, name="odd, “ones”", is_in=True)
    lists.put(workspace, atlas, NETWORK, is_in=True)
    stored = lists.read_lists(workspace, atlas.id)
    assert stored.items == {BOOKMARKS: (NETWORK,), "odd, “ones”": (UNIT,)}
    assert stored.holds(NETWORK)
    assert not stored.holds(UNIT)
    lists.put(workspace, atlas, NETWORK, is_in=False)
    lists.delete(workspace, atlas, "odd, “ones”")
    assert lists.read_lists(workspace, atlas.id).items == {}


@pytest.mark.parametrize(
    "item", [Item(kind="network", number=N_NETWORKS), Item(kind="unit", number=LAYOUT.n_units)]
)
def test_what_is_not_there_is_refused(workspace, item):
    with pytest.raises(SettingsError, match=f"no {item.kind} {item.number}"):
        lists.put(workspace, atlas_of(), item, is_in=True)


def test_a_file_brings_its_lists_to_networks_of_other_numbers(workspace):
    there = atlas_of()
    lists.put(workspace, there, NETWORK, is_in=True)
    lists.put(workspace, there, UNIT, is_in=True)
    content = lists.to_json(lists.read_lists(workspace, there.id)).encode()
    lists.path_of(workspace, there.id).unlink()
    here = atlas_of(maps=np.roll(there.maps, 1, axis=0))
    lists.put(workspace, here, Item(kind="network", number=0), is_in=True)
    merged = lists.merge(workspace, here, lists.parse(content))
    assert merged.items == {
        BOOKMARKS: (Item(kind="network", number=0), Item(kind="network", number=3), UNIT)
    }


def test_networks_that_are_gone_are_told(workspace):
    there = atlas_of()
    lists.put(workspace, there, NETWORK, is_in=True)
    lists.put(workspace, there, UNIT, is_in=True)
    content = lists.to_json(lists.read_lists(workspace, there.id)).encode()
    lists.path_of(workspace, there.id).unlink()
    rng = np.random.default_rng(9)
    here = atlas_of(maps=rng.laplace(size=(N_NETWORKS, LAYOUT.n_units)))
    merged = lists.merge(workspace, here, lists.parse(content))
    assert (merged.items, merged.lost) == ({BOOKMARKS: (UNIT,)}, (2,))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "fnprune annotations"}, "does not hold lists"),
        ({"schema_version": 9}, "schema version 9"),
        ({"lists": [1]}, "no `lists`"),
        ({"lists": {"a": [["network", -1]]}}, "a.0.1: .*got -1"),
        ({"lists": {"a": [["layer", 1]]}}, "a.0.0: .*got 'layer'"),
        ({"lists": {"a" * 81: [["unit", 1]]}}, "at most 80 characters"),
        ({"lists": {" ": [["unit", 1]]}}, "no name"),
    ],
)
def test_files_of_another_kind_are_refused_with_a_reason(workspace, change, error):
    atlas = atlas_of()
    lists.put(workspace, atlas, NETWORK, is_in=True)
    value = lists.as_value(lists.read_lists(workspace, atlas.id))
    with pytest.raises(TextError, match=error):
        lists.parse(json.dumps({**value, **change}).encode())


def test_damage_and_another_model_are_refused(workspace):
    atlas = atlas_of()
    stored = lists.put(workspace, atlas, NETWORK, is_in=True)
    value = {**lists.as_value(stored), "fingerprint": "another"}
    with pytest.raises(SettingsError, match="another model"):
        lists.merge(workspace, atlas, lists.parse(json.dumps(value).encode()))
    path = lists.path_of(workspace, atlas.id)
    path.write_text(path.read_text().replace("network", "unit"))
    with pytest.raises(CorruptArtifactError):
        lists.read_lists(workspace, atlas.id)
