import pytest

from app.widgets.pinned_units import units_in
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((20, 30))


def test_units_are_read_with_ranges_once_each() -> None:
    assert units_in("1:4, 0:2-3; 1:4", LAYOUT) == (2, 3, 24)


@pytest.mark.parametrize("text", ["x", "1", "1:", "1:2-", "1:²", "9" * 5000 + ":1"])
def test_what_is_no_unit_is_told(text) -> None:
    """Thousands of digits ended in an error of Python."""
    with pytest.raises(SettingsError, match="is not a unit") as error:
        units_in(text, LAYOUT)
    assert len(error.value.message) < 300


@pytest.mark.parametrize("text", ["2:0", "0:20", "1:5-4"])
def test_a_unit_that_is_not_there_is_told(text) -> None:
    with pytest.raises(SettingsError, match=r"there is no layer|has no such units"):
        units_in(text, LAYOUT)
