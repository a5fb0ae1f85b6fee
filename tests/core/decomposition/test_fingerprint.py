"""Fingerprint of maps: blind to rounding, and to nothing else."""

import numpy as np
import pytest

from fnprune_core.decomposition import fingerprint
from fnprune_core.decomposition.fingerprint import MapsFingerprint, compare, fingerprint_of
from fnprune_core.errors import CorruptArtifactError


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    return np.random.default_rng(0).laplace(size=(8, 6000)).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3, 0.25])
def test_rounding_and_more_leave_the_numbers_as_they_are(maps, noise) -> None:
    """A quarter of a standard deviation of noise: r 0.97, as between threads of another build."""
    shaken = maps + noise * np.random.default_rng(1).standard_normal(maps.shape)
    renumbering = compare(fingerprint_of(maps), fingerprint_of(shaken))
    assert renumbering.is_same
    assert renumbering.numbers == {k: k for k in range(8)}


def test_permuted_networks_are_found_by_their_maps(maps) -> None:
    order = np.array([0, 2, 1, 3, 7, 5, 6, 4])
    renumbering = compare(fingerprint_of(maps), fingerprint_of(maps[order]))
    assert not renumbering.is_same
    assert not renumbering.is_in_place
    assert renumbering.moved == (1, 2, 4, 7)
    assert [renumbering.numbers[k] for k in range(8)] == np.argsort(order).tolist()
    assert renumbering.here((0, 1, 4)) == (0, 2, 7)
    assert "1 is 2 here" in renumbering.sentence()


def test_a_network_of_another_kind_is_lost(maps) -> None:
    other = maps.copy()
    other[3] = np.random.default_rng(9).laplace(size=6000)
    renumbering = compare(fingerprint_of(maps), fingerprint_of(other))
    assert renumbering.lost == (3,)
    assert not renumbering.is_same
    assert renumbering.of((0, 1)).is_same
    assert not renumbering.of((2, 3)).is_same


def test_a_turned_sign_is_seen(maps) -> None:
    turned = maps.copy()
    turned[5] *= -1
    renumbering = compare(fingerprint_of(maps), fingerprint_of(turned))
    assert not renumbering.is_same
    assert renumbering.is_in_place
    assert renumbering.turned == {5}


def test_it_passes_through_json_and_refuses_what_it_is_not(maps) -> None:
    found = fingerprint_of(maps)
    assert MapsFingerprint.from_json(found.to_json()) == found
    assert len(found.marks[0]) == fingerprint.N_STRONGEST
    for broken in (None, [1], {"a": "1:2"}, {"0": ""}, {"0": "1:x"}, {"-1": "1:2"}, {"0": 3},
                   {"0": "1:" + "9" * 400}, {"9" * 12: "1:2"}):  # fmt: skip
        with pytest.raises(CorruptArtifactError, match="damaged"):
            MapsFingerprint.from_json(broken)


def test_part_of_an_atlas_is_compared_with_all_of_another(maps) -> None:
    part = fingerprint_of(maps).of((6, 2, 99))
    assert set(part.marks) == {2, 6}
    assert compare(part, fingerprint_of(maps[::-1])).numbers == {2: 5, 6: 1}
