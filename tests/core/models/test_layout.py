import numpy as np
import pytest

from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout

RAGGED = UnitLayout((3, 5, 1))


def test_flat_and_layer_index_are_a_bijection():
    pairs = [(layer, index) for layer, width in enumerate(RAGGED.widths) for index in range(width)]
    layer, index = RAGGED.locate(np.arange(RAGGED.n_units))
    assert list(zip(layer, index, strict=True)) == pairs
    np.testing.assert_array_equal(RAGGED.flat(layer, index), np.arange(RAGGED.n_units))
    np.testing.assert_array_equal(RAGGED.layer_of_unit, layer)


def test_split_gives_each_layer_its_units():
    values = np.arange(2 * RAGGED.n_units).reshape(2, -1)
    parts = RAGGED.split(values)
    assert [part.shape for part in parts] == [(2, 3), (2, 5), (2, 1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), values)
    with pytest.raises(SettingsError, match="Expected 9 values"):
        RAGGED.split(values[:, 1:])


def test_removed_units_and_kept_units_say_the_same():
    removed = (np.array([2]), np.array([], dtype=np.int64), np.array([0]))
    keep = RAGGED.keep_of(removed)
    np.testing.assert_array_equal(np.flatnonzero(~keep), [2, 8])
    for back, part in zip(RAGGED.removed_of(keep), removed, strict=True):
        np.testing.assert_array_equal(back, part)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: RAGGED.flat(3, 0),
        lambda: RAGGED.flat(-1, 0),
        lambda: RAGGED.flat(0, 3),  # layer 1 has a unit 3, layer 0 has not
        lambda: RAGGED.flat(0, -1),
        lambda: RAGGED.locate(9),
        lambda: RAGGED.locate(-1),
        lambda: RAGGED.keep_of([np.array([0])]),
        lambda: UnitLayout((3, 0)),
        lambda: UnitLayout(()),
    ],
)
def test_units_that_do_not_exist_are_refused(ask):
    with pytest.raises(SettingsError):
        ask()
