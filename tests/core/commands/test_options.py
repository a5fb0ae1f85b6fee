import pytest

from fnprune_core.commands import options
from fnprune_core.commands.options import units_in
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.loading import EMBEDDED


@pytest.mark.parametrize("text", ["1,x", "3-1", "-2", "1-2-3", "1.5"])
def test_what_is_no_list_of_networks_is_refused(text) -> None:
    with pytest.raises(SettingsError, match="is not a list of networks"):
        options.numbers_in(text)


def test_a_list_of_networks() -> None:
    assert options.numbers_in(" 1,3, 7-9,") == (1, 3, 7, 8, 9)
    assert options.numbers_in(None) is None


def test_the_default_model_is_the_embedded_one() -> None:
    assert options.EMBEDDED == EMBEDDED


LAYOUT = UnitLayout((40,) * 12)  # protect-ends exempts layer 0


def test_units_are_written_as_layer_and_index():
    assert units_in("3:17, 0:2", LAYOUT) == (137, 2)
    assert units_in(None, LAYOUT) == ()
    for text, message in (("3", "layer:index"), ("a:1", "layer:index"), ("3:40", "Unit 40")):
        with pytest.raises(SettingsError, match=message):
            units_in(text, LAYOUT)
